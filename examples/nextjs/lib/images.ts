import {createRouteHandler} from 'ai-worker-client/next';

import {maxCount, ratios} from './choices';
import {accessOf} from './visitor';

// Vercel says under which name the deployment of production is reached. The
// service must have the same WEBHOOK_SECRET.
const host = process.env.VERCEL_PROJECT_PRODUCTION_URL;
const webhook = host && process.env.WEBHOOK_SECRET ? `https://${host}/api/webhooks` : undefined;

/** The app's own way to the service: it adds the API key, and lets each visitor see their own jobs only. */
export const images = createRouteHandler({
  authorize(request) {
    const access = accessOf((name) => cookieOf(request, name));
    if (!access.may) {
      return null;
    }
    return {
      user: access.user,
      maxCount,
      aspectRatios: ratios,
      inputImages: true,
      ...(webhook ? {webhook} : {}),
    };
  },
});

function cookieOf(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
