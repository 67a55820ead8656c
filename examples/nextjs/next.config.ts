import type {NextConfig} from 'next';

// Where the pictures are, such as https://img.example.com: the bucket's public
// address. Without it, pictures are shown as the bucket has them.
const pictures = process.env.PICTURES_URL;

const config: NextConfig = {
  env: {NEXT_PUBLIC_PICTURES_OPTIMIZED: pictures ? '1' : ''},
  images: {remotePatterns: pictures ? [new URL('**', pictures.replace(/\/*$/, '/'))] : []},
  poweredByHeader: false,
};

export default config;
