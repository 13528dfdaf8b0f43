// Twilio's own Node library against the sandbox, unchanged but for the address that it calls.
//
// What the library sends and what it makes of the answers is the measure of the emulator. It starts the sandbox and
// the server that gets the callbacks, and prints one line for each check. It does not test the library, nor Trunkline.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as sdk from 'twilio';

// Its exports stand at the top or below `default`, depending on how the library was built.
const { Twilio, validateRequest } = sdk.Twilio ? sdk : sdk.default;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const binary = process.env.TRUNKLINE_BIN ?? join(root, 'target', 'debug', 'trunkline');
const PHONE = '+14155550123';
const MANY = '+14155550150';
const PATIENCE = 15_000;

for (const name of ['TWILIO_EDGE', 'TWILIO_REGION', 'HTTP_PROXY']) delete process.env[name];

let failed = 0;
function check(name, ok, detail = '') {
  if (!ok) failed += 1;
  console.log(ok ? `ok   ${name}` : `FAIL ${name} ${detail}`);
}

/// Looks again until a condition holds, and gives what it came to; nothing if it never does.
async function waitFor(what, condition) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await pause(20)) {
    const found = await condition();
    if (found) return found;
  }
  check(what, false, `not within ${PATIENCE} ms`);
  return null;
}

/// A call that the library must turn into its own exception.
async function refused(name, code, status, call) {
  try {
    await call();
    check(name, false, 'it was accepted');
  } catch (problem) {
    check(name, problem.code === code && problem.status === status, `${problem.status} ${problem.code}: ${problem.message}`);
  }
}

/// Every webhook as it came: its URL, its signature and its form.
const received = [];
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const url = `http://127.0.0.1:${server.address().port}${request.url}`;
  received.push({ url, signature: request.headers['x-twilio-signature'] ?? '', form: Object.fromEntries(new URLSearchParams(body)) });
  response.writeHead(204).end();
});

const callbacksOf = (sid) => received.filter(({ form }) => form.MessageSid === sid && form.MessageStatus);

async function control(base, method, path, body) {
  const answer = await fetch(base + path, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : null;
}

/// Texts by sender and by service, and what becomes of them.
async function sending(client, credentials, base, hooks) {
  const { senders: [sender], messaging_service: service, auth_token: token } = credentials;
  const text = await client.messages.create({ to: PHONE, from: sender, body: 'Hello', statusCallback: `${hooks}/status?order=17%2Fb` });
  check('a text is taken', /^SM[0-9a-f]{32}$/.test(text.sid) && text.status === 'queued' && text.from === sender, `${text.sid} ${text.status}`);
  check('its fields are read', text.numSegments === '1' && text.direction === 'outbound-api' && text.dateCreated instanceof Date && text.errorCode === null, JSON.stringify(text));
  const delivered = (sid) => async () => {
    const found = await client.messages(sid).fetch();
    return found.status === 'delivered' ? found : null;
  };
  const done = await waitFor('a text is delivered', delivered(text.sid));
  check('fetching shows what became of it', done?.dateSent instanceof Date && done.to === PHONE);
  const seen = (await waitFor('callbacks come', () => (callbacksOf(text.sid).length >= 2 ? callbacksOf(text.sid) : null))) ?? [];
  check('callbacks tell the statuses', seen.map(({ form }) => form.MessageStatus).sort().join() === 'delivered,sent', JSON.stringify(seen));
  check('the library accepts their signatures', seen.length > 0 && seen.every(({ url, signature, form }) => validateRequest(token, signature, url, form)));
  check('and rejects a changed one', seen.length > 0 && !seen.some(({ url, signature, form }) => validateRequest(token, signature, url, { ...form, MessageStatus: 'failed' })));

  const pooled = await client.messages.create({ to: PHONE, messagingServiceSid: service, body: 'From the pool' });
  check('a service takes a text without a sender', pooled.from === null && pooled.status === 'accepted' && pooled.messagingServiceSid === service, `${pooled.from} ${pooled.status}`);
  const sent = await waitFor('a pooled text is delivered', delivered(pooled.sid));
  check('and names it once it is sent', sent?.from === sender);

  for (const [to, code] of [['+15005550001', 21211], ['+15005550002', 21612], ['+15005550003', 21408], ['+15005550004', 21610], ['+15005550009', 21614]]) {
    await refused(`recipient ${to} is refused`, code, 400, () => client.messages.create({ to, from: sender, body: 'Hi' }));
  }
  for (const [from, code] of [['+15005550001', 21212], ['+15005550007', 21606], ['+15005550008', 21611], ['+14155550999', 21606]]) {
    await refused(`sender ${from} is refused`, code, 400, () => client.messages.create({ to: PHONE, from, body: 'Hi' }));
  }
  await refused('media is refused', 21620, 400, () => client.messages.create({ to: PHONE, from: sender, body: 'Hi', mediaUrl: ['https://t.example/cat.png'] }));
  await refused('a missing body is refused', 21602, 400, () => client.messages.create({ to: PHONE, from: sender }));
  const stranger = new Twilio(credentials.account_sid, 'not the token');
  stranger.api.baseUrl = base;
  await refused('a wrong token is refused', 20003, 401, () => stranger.messages.create({ to: PHONE, from: sender, body: 'Hi' }));
}

/// Filters, limits, and pages that the library follows by itself.
async function listing(client, credentials) {
  const [sender] = credentials.senders;
  const made = [];
  for (let n = 0; n < 120; n += 1) made.unshift((await client.messages.create({ to: MANY, from: sender, body: `Number ${n}` })).sid);
  await waitFor('the last text is sent', async () => (await client.messages(made[0]).fetch()).dateSent);
  const list = (options) => client.messages.list({ to: MANY, ...options });
  const sids = async (options) => (await list(options)).map(({ sid }) => sid).join();
  check('all pages are followed, newest first', (await sids({})) === made.join());
  check('a small page size finds the same', (await list({ pageSize: 7 })).length === 120);
  check('a limit is kept', (await sids({ limit: 7 })) === made.slice(0, 7).join());
  check('more than a page holds can be asked for', (await list({ limit: 5000 })).length === 120);
  check('both numbers filter', (await list({ from: sender })).length === 120 && (await list({ from: PHONE })).length === 0);
  const days = (n) => new Date(Date.now() + n * 86_400_000);
  check('days filter', (await list({ dateSentAfter: days(-1), dateSentBefore: days(1) })).length === 120);
  check('a day without texts is empty', (await list({ dateSent: days(-3) })).length === 0 && (await list({ dateSentAfter: days(2) })).length === 0);
  const second = await (await client.messages.page({ to: MANY, pageSize: 50 })).nextPage();
  const first = await second.previousPage();
  check('a page leads back', first.instances.map(({ sid }) => sid).join() === made.slice(0, 50).join());
  await refused('an unknown text is not found', 20404, 404, () => client.messages(`SM${'0'.repeat(32)}`).fetch());
}

/// Scheduling, cancelling, redacting, deleting.
async function changing(client, credentials, hooks) {
  const { senders: [sender], messaging_service: service } = credentials;
  const schedule = (minutes, more) =>
    client.messages.create({ to: PHONE, body: 'Later', scheduleType: 'fixed', sendAt: new Date(Date.now() + minutes * 60_000), statusCallback: `${hooks}/status`, ...more });
  const text = await schedule(10, { messagingServiceSid: service });
  check('a text is scheduled', text.status === 'scheduled' && text.dateSent === null, text.status);
  await refused('too soon is refused', 35114, 400, () => schedule(1, { messagingServiceSid: service }));
  await refused('too late is refused', 35114, 400, () => schedule(36 * 24 * 60, { messagingServiceSid: service }));
  await refused('without a service is refused', 35118, 400, () => schedule(10, { from: sender }));
  await refused('deleting what is under way is refused', 20009, 400, () => client.messages(text.sid).remove());
  check('a scheduled text is canceled', (await client.messages(text.sid).update({ status: 'canceled' })).status === 'canceled');
  const seen = (await waitFor('the callback for it comes', () => (callbacksOf(text.sid).length > 0 ? callbacksOf(text.sid) : null))) ?? [];
  check('the callback says canceled', seen.map(({ form }) => form.MessageStatus).join() === 'canceled', JSON.stringify(seen));
  await refused('canceling twice is refused', 30409, 400, () => client.messages(text.sid).update({ status: 'canceled' }));

  const secret = await client.messages.create({ to: PHONE, from: sender, body: 'The code is 4711' });
  await waitFor('it is delivered', async () => (await client.messages(secret.sid).fetch()).status === 'delivered');
  check('a text is redacted', (await client.messages(secret.sid).update({ body: '' })).body === '' && (await client.messages(secret.sid).fetch()).body === '');
  check('a text is deleted', (await client.messages(secret.sid).remove()) === true);
  await refused('a deleted text is not found', 20404, 404, () => client.messages(secret.sid).fetch());
}

/// A person's text: announced with a signature, and found in the list.
async function inbound(client, credentials, base) {
  const { senders: [sender], auth_token: token } = credentials;
  await control(base, 'POST', `/sandbox/phones/${encodeURIComponent(PHONE)}/reply`, { to: sender, body: 'Is it on its way? ✓' });
  const hooks = () => received.filter(({ form }) => form.SmsStatus === 'received');
  const seen = (await waitFor('a person\'s text is announced', () => (hooks().length > 0 ? hooks() : null))) ?? [];
  check('the library accepts its signature', seen.length > 0 && seen.every(({ url, signature, form }) => validateRequest(token, signature, url, form)));
  check('and rejects a changed body', seen.length > 0 && !validateRequest(token, seen[0].signature, seen[0].url, { ...seen[0].form, Body: 'STOP' }));
  const listed = (await client.messages.list({ from: PHONE })).map(({ body, direction, status, to }) => [body, direction, status, to].join('|'));
  check('it is in the list', listed.join() === `Is it on its way? ✓|inbound|received|${sender}`, JSON.stringify(listed));
}

/// The sandbox ends with this process, however that ends.
let sim;
process.on('exit', () => sim?.kill());

/// Starts both servers, and runs every check.
async function run() {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hooks = `http://127.0.0.1:${server.address().port}`;
  sim = spawn(binary, ['sim', '--listen', '127.0.0.1:0', '--target', hooks, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const first = await new Promise((resolve, reject) => {
      createInterface({ input: sim.stdout }).once('line', resolve);
      sim.once('error', reject);
      sim.once('exit', (code) => reject(new Error(`the sandbox ended with ${code}`)));
    });
    const base = JSON.parse(first).url;
    const credentials = await control(base, 'GET', '/sandbox/credentials');
    await control(base, 'PATCH', '/sandbox/faults', { quick_receipts: true });
    const client = new Twilio(credentials.account_sid, credentials.auth_token);
    client.api.baseUrl = base;
    await sending(client, credentials, base, hooks);
    await listing(client, credentials);
    await changing(client, credentials, hooks);
    await inbound(client, credentials, base);
  } finally {
    sim.kill();
    server.close();
    server.closeAllConnections();
  }
}

/// The whole of it is bounded, whatever hangs.
const tooLong = setTimeout(() => {
  console.log('FAIL the checks took longer than a minute');
  process.exit(1);
}, 60_000);

try {
  await run();
} catch (problem) {
  check('the checks run to their end', false, problem.stack);
}
clearTimeout(tooLong);
console.log(`${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
