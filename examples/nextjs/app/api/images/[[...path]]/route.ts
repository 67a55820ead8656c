import {images} from '@/lib/images';

export const {GET, POST, DELETE} = images;
