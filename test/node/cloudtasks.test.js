// Google's own Node client against the emulator, over real gRPC or REST. The client
// encodes requests its own way, so it finds what a Go client would not.
//
// CLOUD_TASKS_EMULATOR_HOST (host:port, plain text) says where the emulator
// listens, and TRANSPORT (grpc or rest) how to talk to it; node_test.go starts one
// and sets both.

import assert from 'node:assert/strict';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {text} from 'node:stream/consumers';
import {after, before, test} from 'node:test';

import {CloudTasksClient} from '@google-cloud/tasks';
import {OAuth2Client} from 'google-auth-library';
import {grpc} from 'google-gax';

const location = 'projects/test-project/locations/us-central1';
const rest = process.env.TRANSPORT === 'rest';
const PER_MINUTE = 1 / 60; // tasks a second

const deliveries = []; // requests that arrived, not yet taken by a test
const waiting = []; // tests that wait for one

const receiver = createServer(async (request, response) => {
  const {method, url, headers} = request;
  const delivery = {method, url, headers, body: await text(request)};
  const refused = url === '/fails-once' && headers['x-cloudtasks-taskretrycount'] === '0';
  response.writeHead(refused ? 500 : 200).end();
  const take = waiting.shift();
  if (take) take(delivery);
  else deliveries.push(delivery);
});

function nextDelivery() {
  if (deliveries.length > 0) return deliveries.shift();
  return new Promise(resolve => waiting.push(resolve));
}

let client;
let target;

before(async () => {
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  target = `http://127.0.0.1:${receiver.address().port}/tasks/generate`;

  const emulator = process.env.CLOUD_TASKS_EMULATOR_HOST;
  assert.ok(emulator, 'CLOUD_TASKS_EMULATOR_HOST must say where the emulator listens');
  const {hostname, port} = new URL(`http://${emulator}`);
  const address = {servicePath: hostname, port: Number(port)};
  if (rest) {
    const authClient = new OAuth2Client();
    authClient.setCredentials({access_token: 'any', expiry_date: Number.MAX_SAFE_INTEGER});
    client = new CloudTasksClient({...address, fallback: 'rest', protocol: 'http', authClient, projectId: 'test-project'});
  } else {
    client = new CloudTasksClient({...address, sslCreds: grpc.credentials.createInsecure()});
  }
});

// What an error's code is: that of gRPC, or the status of HTTP.
const ALREADY_EXISTS = rest ? 409 : grpc.status.ALREADY_EXISTS;
const NOT_FOUND = rest ? 404 : grpc.status.NOT_FOUND;

after(async () => {
  await client?.close();
  receiver.closeAllConnections();
  receiver.close();
});

// A name of its own per test run: a deleted queue's name stays taken for days.
function queueName(prefix) {
  return `${location}/queues/${prefix}-${Date.now()}`;
}

test('a queue at 10 per minute delivers a task', {timeout: 120_000}, async () => {
  const name = queueName('ten-per-minute');
  const [queue] = await client.createQueue({
    parent: location,
    queue: {
      name,
      rateLimits: {maxDispatchesPerSecond: 10 * PER_MINUTE, maxConcurrentDispatches: 5},
    },
  });
  assert.equal(queue.name, name);
  assert.equal(queue.rateLimits.maxDispatchesPerSecond, 10 * PER_MINUTE, 'the rate is kept as a fraction');
  assert.equal(queue.rateLimits.maxConcurrentDispatches, 5);

  const body = JSON.stringify({job_id: '0199', index: 0, dispatch: 1});
  const createdAt = Date.now();
  const [task] = await client.createTask({
    parent: name,
    task: {
      httpRequest: {
        url: target,
        httpMethod: 'POST',
        headers: {'Content-Type': 'application/json', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'},
        body: Buffer.from(body),
      },
      dispatchDeadline: {seconds: 300},
    },
  });
  const answeredAt = Date.now();
  assert.ok(task.name.startsWith(`${name}/tasks/`), `the task has a name in its queue, got ${task.name}`);

  const delivery = await nextDelivery();
  assert.equal(delivery.method, 'POST');
  assert.equal(delivery.url, '/tasks/generate');
  assert.equal(delivery.body, body);

  const {headers} = delivery;
  assert.equal(headers['user-agent'], 'Google-Cloud-Tasks');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers.traceparent, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
  assert.equal(headers['x-cloudtasks-queuename'], name.split('/').at(-1));
  assert.equal(headers['x-cloudtasks-taskname'], task.name.split('/').at(-1));
  assert.equal(headers['x-cloudtasks-taskretrycount'], '0');
  assert.equal(headers['x-cloudtasks-taskexecutioncount'], '0');
  assert.match(headers['x-cloudtasks-tasketa'], /^\d+\.\d+$/);
  const eta = Number(headers['x-cloudtasks-tasketa']);
  const apart = 5; // seconds, between this clock and Google's
  assert.ok(
    eta > createdAt / 1000 - apart && eta < answeredAt / 1000 + apart,
    `the ETA is ${eta}, and the task was created between ${createdAt / 1000} and ${answeredAt / 1000}`,
  );
});

test('a name is taken once, and its errors arrive as gRPC codes', {timeout: 120_000}, async () => {
  const queue = queueName('named');
  await client.createQueue({parent: location, queue: {name: queue}});

  const task = {name: `${queue}/tasks/once`, httpRequest: {url: target}};
  await client.createTask({parent: queue, task});
  await nextDelivery();

  await assert.rejects(client.createTask({parent: queue, task}), {code: ALREADY_EXISTS});
  await assert.rejects(client.createTask({parent: `${location}/queues/none`, task: {httpRequest: {url: target}}}), {
    code: NOT_FOUND,
  });
});

test('a task that fails comes again; a queue is changed, paused, purged and deleted', {timeout: 120_000}, async () => {
  const name = queueName('life');
  await client.createQueue({parent: location, queue: {name, retryConfig: {minBackoff: {nanos: 1e7}, maxBackoff: {nanos: 2e7}}}});
  await client.createTask({parent: name, task: {httpRequest: {url: target.replace('/tasks/generate', '/fails-once')}}});
  assert.equal((await nextDelivery()).headers['x-cloudtasks-taskretrycount'], '0');
  const {headers} = await nextDelivery();
  assert.equal(headers['x-cloudtasks-taskretrycount'], '1');
  assert.equal(headers['x-cloudtasks-taskpreviousresponse'], '500');

  const [changed] = await client.updateQueue({
    queue: {name, retryConfig: {maxAttempts: 3}, rateLimits: {maxDispatchesPerSecond: 9}},
    updateMask: {paths: ['retry_config.max_attempts']},
  });
  assert.equal(changed.retryConfig.maxAttempts, 3);
  assert.equal(changed.rateLimits.maxDispatchesPerSecond, 500, 'the mask does not name the rate');

  const [paused] = await client.pauseQueue({name});
  assert.equal(paused.state, 'PAUSED');
  await client.createTask({parent: name, task: {name: `${name}/tasks/purged`, httpRequest: {url: target}}});
  await client.purgeQueue({name});
  assert.deepEqual((await client.listTasks({parent: name}))[0], []);
  await client.createTask({parent: name, task: {name: `${name}/tasks/kept`, httpRequest: {url: target}}});
  await client.resumeQueue({name});
  assert.equal((await nextDelivery()).headers['x-cloudtasks-taskname'], 'kept');

  await client.deleteQueue({name});
  await assert.rejects(client.getQueue({name}), {code: NOT_FOUND});
});

test('its token is verified with the certificates that the emulator serves', {timeout: 120_000}, async () => {
  const queue = queueName('token');
  await client.createQueue({parent: location, queue: {name: queue}});
  const serviceAccountEmail = 'tasks@test-project.iam.gserviceaccount.com';
  await client.createTask({parent: queue, task: {httpRequest: {url: target, oidcToken: {serviceAccountEmail}}}});
  const {headers} = await nextDelivery();
  const verifier = new OAuth2Client({
    endpoints: {oauth2FederatedSignonPemCertsUrl: `http://${process.env.CLOUD_TASKS_EMULATOR_HOST}/oauth2/v1/certs`},
  });
  const ticket = await verifier.verifyIdToken({idToken: headers.authorization.replace('Bearer ', ''), audience: target});
  assert.equal(ticket.getPayload().email, serviceAccountEmail);
  await assert.rejects(verifier.verifyIdToken({idToken: headers.authorization.replace('Bearer ', ''), audience: 'other'}));
});
