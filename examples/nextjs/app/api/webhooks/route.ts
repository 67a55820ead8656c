import {verifyWebhook, WebhookVerificationError} from 'ai-worker-client/webhooks';

/** Is told by the service when a job has ended, also if its page is closed by then. This is where an app would send a mail. */
export async function POST(request: Request): Promise<Response> {
  const secret = process.env.WEBHOOK_SECRET;
  if (!secret) {
    return new Response('WEBHOOK_SECRET is not set', {status: 503});
  }
  try {
    const {id, type, data} = await verifyWebhook(request, secret);
    console.log(JSON.stringify({webhook: id, type, job: data.job.id}));
    return new Response(null, {status: 204});
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return new Response(error.message, {status: 401});
    }
    throw error;
  }
}
