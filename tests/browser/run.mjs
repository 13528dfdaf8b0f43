// The console in a real browser, as a support agent uses it: sign in, look at the overview, search an order, read why,
// reply from a phone and see it arrive live; as an operator, replay what gave up and decide about what is unclear. It
// starts the demo, looks at every page at two widths, light and dark, runs axe, and leaves screenshots in artifacts/. It does
// not test the API.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const artifacts = join(root, 'artifacts');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const binary = process.env.TRUNKLINE_BIN ?? join(root, 'target', 'debug', 'trunkline');

let passed = 0;
const failures = [];
function check(name, ok, detail = '') {
  if (ok) passed += 1;
  else failures.push(`${name} ${detail}`);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${ok ? '' : ` ${detail}`}`);
}

/// The secret of the demo's shop, as in crates/sim/src/fixtures.rs.
const SHOP_SECRET = 'sandbox-shop-secret';
/// A number whose texts are never taken and whose calls are never answered, as in crates/sim/src/vendor.rs.
const NEVER_ANSWERED = '+14155550005';
/// Where the operator sits: not where UTC is.
const ZONE = 'America/New_York';

/// Starts the demo; gives its addresses, its password, and a promise of the end of its day.
function startDemo() {
  const demo = spawn(binary, ['demo', '--orders', '120', '--seed', '11'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const found = (pattern) => new Promise((resolve, reject) => {
    const look = () => { const hit = text.match(pattern); if (hit) resolve(hit); };
    const more = (chunk) => { text += chunk; look(); };
    demo.stderr.on('data', more);
    demo.stdout.on('data', more);
    demo.on('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${text}`)));
    look();
  });
  return { demo, found };
}

const { demo, found } = startDemo();
let browser;
try {
  mkdirSync(artifacts, { recursive: true });
  const [, consoleUrl, password] = await found(/console\s+(http:\S+).*password (\S+)/);
  const [, sandboxUrl] = await found(/sandbox\s+(http:\S+)/);
  const dayIsOver = found(/the day is over/);
  dayIsOver.catch(() => {});
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', timezoneId: ZONE });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (m) => { if (m.type() === 'error') problems.push(m.text()); });
  page.on('pageerror', (e) => problems.push(String(e)));
  page.on('request', (r) => { if (!r.url().startsWith(consoleUrl) && !r.url().startsWith('data:')) problems.push(`asks elsewhere: ${r.url()}`); });

  await page.goto(consoleUrl);
  check('signed out leads to sign-in', page.url().includes('/signin'));
  await page.screenshot({ path: join(artifacts, 'signin-1440.png') });
  await page.fill('input[name=name]', 'demo');
  await page.fill('input[name=password]', 'not this one');
  await page.press('input[name=password]', 'Enter');
  await page.waitForLoadState();
  check('a wrong password does not sign in', page.url().includes('/signin'));
  problems.length = 0;
  await page.fill('input[name=name]', 'demo');
  await page.fill('input[name=password]', password);
  await page.press('input[name=password]', 'Enter');
  await page.waitForURL(`${consoleUrl}/`);
  check('signs in by keyboard', true);

  const body = () => page.locator('main').innerText();
  const before = await body();
  await page.waitForFunction((old) => document.querySelector('main').innerText !== old, before, { timeout: 20000 });
  check('the overview moves by itself while the day is played', true);

  await dayIsOver;
  await page.goto(consoleUrl);
  const audit = async (name) => {
    await page.evaluate(axe);
    const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    check(`axe finds nothing on ${name}`, result.violations.length === 0, JSON.stringify(result.violations.map((v) => [v.id, v.nodes.map((n) => n.target.join(' '))])));
  };
  const shoot = async (name) => {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        check(`${name} fits ${width} px (${colorScheme})`, wide <= 0, `overflows by ${wide} px`);
        await page.screenshot({ path: join(artifacts, `${name}-${width}-${colorScheme}.png`), fullPage: width === 390 });
        await audit(`${name} at ${width} px, ${colorScheme}`);
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
  };
  await shoot('overview');

  const state = await (await fetch(`${sandboxUrl}/sandbox/state`)).json();
  const text = state.texts.filter((t) => !t.vendor_own && /#\d+/.test(t.body)).at(-1);
  const order = text.body.match(/#\d+/)[0];
  await page.fill('input[name=q]', order);
  await page.press('input[name=q]', 'Enter');
  await page.waitForLoadState();
  if (!page.url().includes('/messages/')) await page.locator('main a[href^="/messages/msg_"]').first().click();
  await page.waitForURL(/\/messages\/msg_/);
  const told = await body();
  check('an order leads to its message', told.includes(order), told.slice(0, 200));
  check('the gate says why', /opted out/.test(told) && /gate/.test(told), told);
  check('no number is shown in full', !/\+1415555\d{4}|\+1212555\d{4}/.test(await page.content()));
  const fold = page.locator('details').first();
  await fold.locator('summary').click();
  check('a raw webhook opens', /POST|X-Shopify|X-Twilio/i.test(await fold.innerText()));
  await shoot('message');

  const message = state.texts.filter((t) => !t.vendor_own && t.attempt).at(-1);
  await page.goto(`${consoleUrl}/messages/${message.attempt.replace(/-\d+$/, '')}`);
  await fetch(`${sandboxUrl}/sandbox/phones/${encodeURIComponent(message.phone)}/reply`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ to: message.sender, body: 'STOP' }),
  });
  await page.waitForFunction(() => /STOP/.test(document.querySelector('main').innerText), null, { timeout: 15000 });
  check('a STOP from the phone arrives live', true);

  const shown = page.locator('main time').first();
  check('instants are shown where the operator is', /^\d+ \w{3} \d\d:\d\d:\d\d$/.test(await shown.innerText()) && /UTC/.test(await shown.getAttribute('title')));
  check('the foot says which zone', (await page.locator('footer').innerText()).includes(ZONE));

  // "Customer … says that she got no text for order …": on a phone, from the overview to the reason in three clicks.
  const inView = (pattern) => page.evaluate((source) => [...document.querySelectorAll('.line-text, .col-why, .item-text, .lead')].some((el) => {
    const box = el.getBoundingClientRect();
    return new RegExp(source).test(el.textContent) && box.width > 0 && box.top >= 0 && box.bottom <= innerHeight;
  }), pattern);
  const ask = async (typed) => {
    await page.goto(consoleUrl);
    await page.click('#q');
    await page.fill('#q', typed);
    await page.click('.find button');
    await page.waitForURL((url) => /^\/(messages|addresses|search)/.test(url.pathname));
    await page.waitForLoadState();
  };
  const why = 'Outside 08:00-21:00|opted out at';
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${consoleUrl}/messages?state=held`);
  const waiting = page.locator('.rows tbody tr').filter({ has: page.locator('.col-order:not(:empty)') }).first();
  // The morning may have come while the day was looked at: then somebody who said STOP asks.
  if ((await waiting.count()) === 0) await page.goto(`${consoleUrl}/messages?state=suppressed`);
  const asked = (await waiting.locator('.col-order').innerText()).trim();
  check('some text of an order did not leave', /^#\d+$/.test(asked), asked);
  await ask(asked.replace('#', ''));
  check('an order leads to the reason in two clicks', await inView(why), page.url());
  await page.screenshot({ path: join(artifacts, 'three-clicks-order-390.png') });
  if (!page.url().includes('/messages/')) await page.locator('main a[href^="/messages/msg_"]').first().click();
  const phone = state.orders.find((o) => o.name === asked).customer.phone;
  await ask(phone.startsWith('+1') ? phone.slice(2) : phone);
  check('a number leads to its page, and is not in the URL', /\/addresses\/adr_/.test(page.url()) && !page.url().includes(phone.slice(-7)), page.url());
  check('a number leads to the reason in two clicks', await inView(why), page.url());
  check('the page says what the clock says there', (await page.locator('main .there').count()) > 0);
  await page.screenshot({ path: join(artifacts, 'three-clicks-number-390.png') });
  await page.setViewportSize({ width: 1440, height: 900 });
  await shoot('address');
  await page.click('text=Reveal the number');
  await page.waitForSelector('text=Shown once');
  check('the number is shown when it is asked for', (await page.locator('h1').innerText()) === phone, await page.locator('h1').innerText());
  await page.goto(page.url());
  check('and then never again', !(await page.content()).includes(phone));
  await page.goto(`${consoleUrl}/audit`);
  check('what people did says so', /operator demo revealed the number of/.test(await body()), await body());
  await shoot('audit');

  await page.goto(`${consoleUrl}/journeys`);
  check('journeys are listed', /order-confirmed/.test(await body()) && /order-shipped/.test(await body()));
  await shoot('journeys');
  await page.goto(`${consoleUrl}/journeys/order-shipped`);
  check('a branching journey is drawn', (await page.locator('svg.graph rect.branch').count()) === 1 && (await page.locator('svg.graph .arrow').count()) > 3);
  await shoot('journey');
  await page.goto(`${consoleUrl}/journeys/order-confirmed`);
  check('steps say how many passed', /\d+ here, [\d,]*[1-9][\d,]* today/.test(await page.locator('svg.graph').textContent()), await page.locator('svg.graph').textContent());
  await page.locator('main a[href^="/runs/run_"]').first().click();
  await page.waitForURL(/\/runs\/run_/);
  check('a run says what it passed and made', /order-confirmed/.test(await body()) && (await page.locator('.rows tbody tr').count()) > 0, await body());
  await shoot('run');

  await page.goto(`${consoleUrl}/templates`);
  check('templates are listed with their sizes', /order_shipped/.test(await body()) && /GSM-7, \d/.test(await body()), await body());
  await shoot('templates');
  await page.locator('main a[href="/templates/order_shipped"]').click();
  await page.waitForURL(/\/templates\/order_shipped/);
  check('a text says what it costs', /At worst: \d segments?, GSM-7/.test(await body()) && /everywhere else/.test(await body()), await body());
  await page.fill('#draft', 'Acme: it’s here');
  await page.waitForFunction(() => /turns it to UCS-2/.test(document.getElementById('counter').innerText), null, { timeout: 10000 });
  check('the counter follows what is written', /U\+2019/.test(await page.locator('#counter').innerText()));
  await shoot('template');

  await page.goto(`${consoleUrl}/webhooks?lane=receipt`);
  check('webhooks are listed by kind', /receipt/.test(await body()) && (await page.locator('main .item').count()) > 0);
  await shoot('webhooks');
  await page.locator('main a[href^="/webhooks/hook_"]').first().click();
  await page.waitForURL(/\/webhooks\/hook_/);
  check('a webhook is shown as it came', /POST/.test(await body()) && !/\+1\d{10}/.test(await page.content()));
  await shoot('webhook');
  const call = (headers) => fetch(`${consoleUrl}/hooks/shopify`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{"id":1}' });
  check('an unsigned webhook is refused', (await call({})).status === 403);
  await page.goto(`${consoleUrl}/webhooks/refused`);
  check('and kept with the reason', /is missing/.test(await body()), await body());
  await shoot('refused');

  await page.goto(`${consoleUrl}/dead`);
  if ((await page.locator('main .item').count()) === 0) check('without dead letters the page says so', /Nothing gave up/.test(await body()));
  const signature = createHmac('sha256', SHOP_SECRET).update('{"id":1}').digest('base64');
  const signed = { 'x-shopify-topic': 'orders/create', 'x-shopify-hmac-sha256': signature, 'x-shopify-shop-domain': 'x', 'x-shopify-api-version': 'x', 'x-shopify-webhook-id': 'browser-1' };
  check('a signed webhook is taken', (await call(signed)).status === 200);
  await page.waitForFunction(() => /data\.items/.test(document.querySelector('main').innerText), null, { timeout: 15000 });
  check('what cannot be read gives up, and arrives live', true);
  check('the navigation counts it', /[1-9]/.test(await page.locator('#live-dead .badge').innerText()));
  await shoot('dead');
  await page.locator('main .item').filter({ hasText: 'data.items' }).locator('button').click();
  await page.waitForURL(/replayed=1/);
  check('a dead letter goes back to work', /back at work/.test(await body()), await body());
  await page.goto(`${consoleUrl}/audit`);
  check('and the trail says who did it', /operator demo replayed/.test(await body()));

  // Two texts to a number whose calls are never answered; the demo's calls time out after two seconds.
  const orderFor = async (order) => {
    const placed = JSON.stringify({
      id: Number(order.slice(1)), name: order, financial_status: 'paid', total_price: '89.00', currency: 'USD', customer_locale: 'en', phone: NEVER_ANSWERED,
      customer: { id: Number(order.slice(1)), first_name: 'Nils' }, shipping_address: { country_code: 'US', first_name: 'Nils' }, line_items: [{}],
    });
    const answer = await fetch(`${consoleUrl}/hooks/shopify`, {
      method: 'POST', body: placed,
      headers: { ...signed, 'content-type': 'application/json', 'x-shopify-webhook-id': `browser-${order}`, 'x-shopify-hmac-sha256': createHmac('sha256', SHOP_SECRET).update(placed).digest('base64') },
    });
    check(`order ${order} is taken`, answer.status === 200, `${answer.status}`);
  };
  const unclear = (order) => page.locator('main .item').filter({ hasText: order });
  const shows = (order) => page.waitForFunction((wanted) => document.querySelector('main').innerText.includes(wanted), order, { timeout: 30000 });
  await page.goto(`${consoleUrl}/unclear`);
  await orderFor('#9005');
  await shows('#9005');
  check('a text whose call is never answered becomes unclear, and arrives live', /Nobody knows whether the vendor took it/.test(await unclear('#9005').innerText()));
  check('the navigation counts it too', /[1-9]/.test(await page.locator('#live-unknown .badge').innerText()));
  await unclear('#9005').locator('summary').click();
  const seen = 'Nothing in the log of the vendor, and she says that it came';
  await unclear('#9005').locator('textarea').fill(seen);
  await orderFor('#9006');
  await shows('#9006');
  check('what somebody writes outlives a change of the page', (await unclear('#9005').locator('textarea').inputValue()) === seen);
  await shoot('unclear');
  await unclear('#9005').locator('button[value=arrived]').click();
  await page.waitForURL(/ruled=arrived/);
  check('a text that was decided about is gone', /counts as arrived now/.test(await body()) && (await unclear('#9005').count()) === 0 && (await unclear('#9006').count()) === 1, await body());
  await page.goto(`${consoleUrl}/audit`);
  check('and the trail has the decision and what was seen', /operator demo ruled on/.test(await body()) && (await body()).includes(seen), await body());
  await page.goto(`${consoleUrl}/unclear`);
  await unclear('#9006').locator('.item-head a').click();
  await page.waitForURL(/\/messages\/msg_/);
  await shoot('unclear-message');
  await page.fill('main textarea', 'Nothing in the log of the vendor');
  await page.click('main button[value=let_go]');
  await page.waitForURL(/ruled=let_go/);
  check('the page of a text decides too', /let it go/.test(await page.locator('#live-timeline').innerText()) && (await page.locator('main textarea').count()) === 0, await body());

  await page.goto(`${consoleUrl}/messages`);
  await page.locator('#filters summary').click();
  await page.fill('#filter-label', asked);
  await page.fill('#filter-number', phone);
  await page.click('#filters button');
  await page.waitForURL(/address=adr_/);
  check('filters are in the URL, numbers are not', page.url().includes('label=%23') && !page.url().includes(phone.slice(-7)) && !page.url().includes('journey='), page.url());
  check('and narrow the list', (await page.locator('.chip').count()) === 2 && (await page.locator('.rows tbody tr').count()) > 0);
  await shoot('filters');
  await page.goto(`${consoleUrl}/messages`);
  const older = page.locator('.pager a', { hasText: 'Older' });
  const first = await page.locator('.col-number a').first().getAttribute('href');
  await older.click();
  await page.waitForURL(/before=msg_/);
  check('older messages are other messages', !(await page.content()).includes(first));

  await page.goto(`${consoleUrl}/search?q=%23999999`);
  check('a search without hits says what can be searched', /order|number/i.test(await body()));
  await shoot('search');
  await page.goto(`${consoleUrl}/messages?state=failed`);
  check('failed messages are listed', /failed/i.test(await body()));
  await shoot('messages');
  await page.goto(`${consoleUrl}/nowhere`);
  check('an unknown page is one of ours', /signed|not|page/i.test(await body()));
  const expected = problems.filter((p) => !p.includes('404'));
  check('the browser complains about nothing', expected.length === 0, expected.join('; '));
  const sandboxPage = await context.newPage();
  await sandboxPage.goto(sandboxUrl);
  await sandboxPage.waitForTimeout(500);
  await sandboxPage.screenshot({ path: join(artifacts, 'sandbox-1440.png') });
} catch (error) {
  failures.push(String(error?.stack ?? error));
} finally {
  await browser?.close();
  demo.kill('SIGTERM');
}
for (const failure of failures) console.error(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
