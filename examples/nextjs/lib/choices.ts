// What a visitor may choose: the form offers it, and the route grants it.

export const ratios = ['1:1', '4:5', '3:2', '16:9', '9:16'] as const;
export type Ratio = typeof ratios[number];

/** The most pictures of one job. */
export const maxCount = 4;
