// The console in a real browser, as a support agent uses it: sign in, look at the overview, search an order, read why,
// reply from a phone and see it arrive live. It starts the demo, looks at every page at two widths, light and dark,
// runs axe, and leaves screenshots in artifacts/. It does not test the API.
import { spawn } from 'node:child_process';
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
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
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
  const text = state.texts.filter((t) => !t.vendor_own).at(-1);
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
