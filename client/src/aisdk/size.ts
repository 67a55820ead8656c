// Sizes in pixels and ratios, as the service's models have them.

import type {AspectRatio, ImageSize} from '../api.js';

/** Width and height of each ratio at 1K. The other sizes are exact multiples. */
const pixels: Record<AspectRatio, readonly [number, number]> = {
  '1:1': [1024, 1024], '1:4': [512, 2064], '4:1': [2064, 512], '1:8': [352, 2928], '8:1': [2928, 352], '2:3': [848, 1264], '3:2': [1264, 848],
  '3:4': [896, 1200], '4:3': [1200, 896], '4:5': [928, 1152], '5:4': [1152, 928], '9:16': [768, 1376], '16:9': [1376, 768], '21:9': [1584, 672],
};
const factors: Record<ImageSize, number> = {'512': 0.5, '1K': 1, '2K': 2, '4K': 4};

export interface Shape {
  ratio: AspectRatio;
  /** Absent if no model draws exactly so many pixels. */
  size?: ImageSize;
}

/** Returns the ratio that a text such as `16:9` or `32:18` means, if there is one. */
export function ratioOf(text: string): AspectRatio | undefined {
  const [width = 0, height = 0] = text.split(':').map(Number);
  const ratios = Object.keys(pixels) as AspectRatio[];
  return ratios.find((ratio) => {
    const [w = 0, h = 0] = ratio.split(':').map(Number);
    return width > 0 && width * h === height * w;
  });
}

/** Returns the ratio and size of a picture of so many pixels, such as `1376x768`; only the ratio, if no model draws it so large. */
export function shapeOf(text: string): Shape | undefined {
  const [width = 0, height = 0] = text.split('x').map(Number);
  for (const [ratio, [w, h]] of Object.entries(pixels)) {
    for (const [size, factor] of Object.entries(factors)) {
      if (width === w * factor && height === h * factor) {
        return {ratio: ratio as AspectRatio, size: size as ImageSize};
      }
    }
  }
  const ratio = ratioOf(`${width}:${height}`);
  return ratio && {ratio};
}
