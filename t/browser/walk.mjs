// SPDX-License-Identifier: Apache-2.0
//
// The person in front of the browser for t/37-browser.t: clicks through sign-on and looks at each page.
// Usage: node walk.mjs FILE.json; the file names the sites.  One line of JSON per finding on standard
// output: {"ok": BOOLEAN, "name": TEXT, "why": TEXT}; {"done": true} at the end.

import { createRequire } from 'node:module';
import fs from 'node:fs';
import { inspect } from './page.mjs';

const plan = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { chromium } = createRequire(plan.modules)('playwright-core');
const say = (line) => fs.writeSync(1, JSON.stringify(line) + '\n');
const ok = (good, name, why) => { say({ ok: Boolean(good), name, why: good ? undefined : String(why ?? '') }); return good; };
const has = (text, part, name) => ok(text.includes(part), name, `not there: ${part}\nin: ${text}`);

const browser = await chromium.launch({ executablePath: plan.chromium, headless: true, args: ['--no-sandbox', '--disable-gpu',
    '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

// A fresh person, who knows a password where one is asked for.
async function person(options = {}) {
    const context = await browser.newContext({ httpCredentials: { username: 'alice', password: 'secret' },
        viewport: { width: 1000, height: 700 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15000);
    page.on('console', (m) => m.type() === 'error' && !/status of 4\d\d|status of 5\d\d|favicon/.test(m.text())
        && ok(false, 'no error in the console', m.text()));
    page.on('pageerror', (e) => ok(false, 'no script fails', e.message));
    return page;
}

const text = async (page) => (await page.textContent('body')).replace(/\s+/g, ' ');
const shot = (page, name) => page.screenshot({ path: `${plan.screenshots}/${name}.png`, fullPage: true });

// A page of ours: photographed wide, narrow and dark, and inspected.
async function look(page, name) {
    await shot(page, name);
    for (const finding of await inspect(page)) {
        ok(finding.ok, `${name}: ${finding.name}`, finding.why);
    }
    const wide = page.viewportSize();
    await page.setViewportSize({ width: 320, height: 640 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    ok(overflow <= 0, `${name}: fits a narrow telephone`, `${overflow} pixels too wide`);
    await shot(page, `${name}-narrow`);
    await page.setViewportSize(wide);
    await page.emulateMedia({ colorScheme: 'dark' });
    await shot(page, `${name}-dark`);
    for (const finding of (await inspect(page)).filter((f) => /contrast/.test(f.name))) {
        ok(finding.ok, `${name}, dark: ${finding.name}`, finding.why);
    }
    await page.emulateMedia({ colorScheme: 'light' });
}

async function betweenOurSites() {
    const page = await person();
    await page.goto(`${plan.sp}/app/welcome`);
    ok(page.url().startsWith(`${plan.sp}/mnet/hosts`), 'without a session: the page of sites to log in at', page.url());
    await look(page, '1-where-to-log-in');
    await page.click(`a[href^="${plan.idp}/auth/mnet/jump.php"]`);
    ok(page.url() === `${plan.sp}/app/welcome`, 'a click, and back where they were going', page.url());
    has(await text(page), `REMOTE_USER=alice@${plan.idp.replace('http://', '')}`, '  as alice of the other site');
    await shot(page, '2-in-the-application');
    await page.goto(`${plan.sp}/mnet/hosts`);
    has(await text(page), 'Alice Ångström', 'the page of sites greets them by name');
    await look(page, '3-logged-in');
    const back = await page.getAttribute(`a[href="${plan.idp}/"]`, 'href');
    ok(back === `${plan.idp}/`, 'the way back is a link', back);
    await page.click('text=Log out');
    has(await text(page), 'You are logged out', 'logged out with a click');
    await look(page, '4-logged-out');
    ok((await page.context().cookies()).every((c) => !c.name.startsWith('mnet')), 'the cookie is gone');
    await page.goto(`${plan.sp}/app`);
    ok(page.url().startsWith(`${plan.sp}/mnet/hosts`), '  and so is the session', page.url());
    await page.context().close();
}

async function fromMoodle() {
    const page = await person();
    await page.goto(`${plan.sp}/app/course?id=7`);
    await page.click(`a[href^="${plan.moodle}/auth/mnet/jump.php"]`);
    has(await text(page), 'Username', 'the provider asks for a name');
    await page.fill('#username', 'alice');
    await page.click('#login');
    ok(page.url() === `${plan.sp}/app/course?id=7`, 'logged in there, and back where they were going', page.url());
    has(await text(page), 'MNET_LASTNAME=Ōkami 漢字 😀', '  with the whole name');
    await page.goto(`${plan.sp}/mnet/hosts`);
    has(await text(page), 'Ōkami 漢字 😀', 'the page of sites shows it');
    await shot(page, '5-from-moodle');
    await page.click(`a[href="${plan.moodle}/"]`);
    has(await text(page), 'You are logged in as Alice', 'the way back leads to where they came from');
    // A link of another site to the logout page asks first.
    await page.evaluate((url) => { location.href = url; }, `${plan.sp}/mnet/logout`);
    await page.waitForSelector('button');
    has(await text(page), 'Do you want to log out?', "another site's link does not log anybody out by itself");
    await look(page, '6-log-out');
    await page.click(`a[href="${plan.sp}/"]`);
    await page.goto(`${plan.sp}/app`);
    has(await text(page), 'REMOTE_USER', '  nor does "stay logged in"');
    await page.goto(`${plan.moodle}/`);
    await page.click('#logout');
    await page.goto(`${plan.sp}/mnet/hosts`);
    has(await text(page), 'You are not logged in', 'logged out at the provider is logged out here');
    await page.context().close();
}

async function theButton() {
    const page = await person();
    await page.goto(`${plan.moodle}/login/index.php`);
    await page.fill('#username', 'alice');
    await page.keyboard.press('Enter');
    await page.click(`a.server[href*="${encodeURIComponent(plan.sp)}"]`);
    ok(page.url() === `${plan.sp}/`, 'a click on a network server lands on its first page', page.url());
    await page.goto(`${plan.moodle}/`);
    await page.evaluate((url) => { location.href = url; }, `${plan.sp}/mnet/logout`);
    await page.waitForSelector('button');
    await page.keyboard.press('Tab');
    ok(await page.evaluate(() => document.activeElement.tagName) === 'BUTTON', 'Tab reaches the button first');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=You are logged out');
    ok(true, 'and Enter presses it');
    await page.goto(`${plan.moodle}/`);
    has(await text(page), 'not logged in', 'the provider has ended its session as well');
    await page.context().close();
}

async function toMoodle() {
    const page = await person();
    await page.goto(`${plan.idp}/mnet/hosts`);
    has(await text(page), 'alice', 'a user of the password file is greeted');
    await look(page, '7-where-to-go');
    await page.click(`nav a[href*="hostwwwroot=${encodeURIComponent(plan.moodle).replaceAll("%2F", "/")}"]`);
    ok(page.url() === `${plan.moodle}/`, 'a click, and they stand in the Moodle', page.url());
    has(await text(page), `You are logged in as Alice Ångström (alice of ${plan.idp})`, '  logged in');
    await shot(page, '8-in-the-moodle');
    await page.click('#logout');
    ok(page.url() === `${plan.idp}/`, 'logged out there: back here', page.url());
    await page.context().close();
}

async function whatGoesWrong() {
    const page = await person();
    for (const [name, url, status] of [
        ['9-not-confirmed', `${plan.sp}/auth/mnet/land.php?token=${'a'.repeat(40)}&idp=${plan.moodle}&wantsurl=/`, 403],
        ['10-unknown-site', `${plan.sp}/auth/mnet/land.php?token=${'a'.repeat(40)}&idp=http://nobody.example&wantsurl=/`, 404],
        ['11-damaged-link', `${plan.sp}/auth/mnet/land.php`, 400],
        ['12-no-such-peer', `${plan.idp}/auth/mnet/jump.php?hostwwwroot=http://nobody.example`, 404],
    ]) {
        const got = await page.goto(url);
        ok(got.status() === status, `${name}: ${status}`, got.status());
        await look(page, name);
    }
    await page.context().close();
}

for (const part of [betweenOurSites, fromMoodle, theButton, toMoodle, whatGoesWrong]) {
    try {
        await part();
    } catch (e) {
        ok(false, `${part.name} comes to its end`, e.stack);
    }
}
await browser.close();
say({ done: true });
