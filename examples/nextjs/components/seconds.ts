import {useEffect, useState} from 'react';

/** Returns how many whole seconds are left until a time, anew each second; null without a time, and until the page is alive. */
export function useSeconds(until: Date | null): number | null {
  const [now, setNow] = useState<number | null>(null);
  const time = until?.getTime();
  useEffect(() => {
    if (time === undefined) {
      return undefined;
    }
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [time]);
  return time === undefined || now === null ? null : Math.max(0, Math.ceil((time - now) / 1000));
}
