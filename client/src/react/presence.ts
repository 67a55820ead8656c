// Whether somebody looks at the page, and whether there is a network.

/** What may change it. After a page came back out of the browser's cache, some browsers tell by `pageshow` only. */
const types = ['visibilitychange', 'pageshow', 'online', 'offline'];

/** Reports whether the page is hidden or has no network. */
export function isAway(): boolean {
  return document.visibilityState === 'hidden' || !navigator.onLine;
}

/** Calls listener whenever that may have changed, until the returned function is called. */
export function onPresence(listener: () => void): () => void {
  const each = (act: 'addEventListener' | 'removeEventListener') => types.forEach((type) => window[act](type, listener));
  each('addEventListener');
  return () => each('removeEventListener');
}
