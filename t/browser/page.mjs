// SPDX-License-Identifier: Apache-2.0
//
// What anybody can find out about a page in the browser, after the Web Content Accessibility
// Guidelines: language, title, headings, landmarks, links, focus, contrast, sizes.

export async function inspect(page) {
    const findings = await page.evaluate(look);
    // By the keyboard alone, and to be seen where one is.
    const wanted = await page.evaluate(() => document.querySelectorAll('a[href], button, input:not([type=hidden])').length);
    const reached = new Set();
    await page.evaluate(() => document.activeElement?.blur());
    for (let i = 0; i < wanted; i++) {
        await page.keyboard.press('Tab');
        const [key, outline] = await page.evaluate(() => {
            const e = document.activeElement;
            const s = getComputedStyle(e);
            return [e.outerHTML + [...document.querySelectorAll('*')].indexOf(e),
                s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2];
        });
        reached.add(key);
        if (!outline) {
            findings.push({ ok: false, name: 'focus is to be seen', why: key });
        }
    }
    findings.push({ ok: reached.size === wanted, name: 'Tab reaches every link and button', why: `${reached.size} of ${wanted}` });
    await page.evaluate(() => document.activeElement?.blur());
    return findings;
}

// Runs in the page.
function look() {
    const findings = [];
    const ok = (good, name, why) => findings.push({ ok: Boolean(good), name, why });
    const all = (selector) => [...document.querySelectorAll(selector)];
    const html = document.documentElement;

    ok(/^[a-z]{2}/.test(html.lang), 'has a language', html.lang);
    ok(document.title.trim().length > 3, 'has a title', document.title);
    ok(all('h1').length === 1, 'has one first heading', all('h1').length);
    const levels = all('h1,h2,h3,h4,h5,h6').map((h) => Number(h.tagName[1]));
    ok(levels[0] === 1 && levels.every((l, i) => i === 0 || l <= levels[i - 1] + 1), 'headings skip no level', levels);
    ok(all('main').length === 1, 'has one main part', all('main').length);
    ok(document.querySelector('meta[name=viewport]'), 'is made for telephones as well');
    ok(!/user-scalable=no|maximum-scale=1\b/.test(document.querySelector('meta[name=viewport]')?.content ?? ''), 'can be enlarged');
    const named = (e) => (e.getAttribute('aria-label') ?? e.textContent).trim();
    ok(all('a[href],button').every(named), 'every link and button has a name');
    const vague = all('a[href]').filter((a) => /^(here|click here|link|more)$/i.test(named(a)));
    ok(vague.length === 0, 'no link is called "here"', vague.map(named));
    ok(all('nav').every((n) => n.getAttribute('aria-label') || document.getElementById(n.getAttribute('aria-labelledby'))),
        'every navigation has a name');
    ok(all('img').every((i) => i.hasAttribute('alt')), 'every picture has a text');
    const ids = all('[id]').map((e) => e.id);
    ok(new Set(ids).size === ids.length, 'no id is there twice', ids);
    const small = all('li a[href],button').filter((e) => e.getBoundingClientRect().height < 24);
    ok(small.length === 0, 'what is to be pressed is large enough', small.map(named));
    ok(parseFloat(getComputedStyle(document.body).fontSize) >= 16, 'letters are large enough');

    const numbers = (colour) => (colour.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const colour = numbers(getComputedStyle(e).backgroundColor);
            if ((colour[3] ?? 1) > 0.99) {
                return colour;
            }
        }
        return [255, 255, 255];
    };
    let worst = 99;
    let where = '';
    for (const e of all('body *')) {
        if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || /^(STYLE|SCRIPT)$/.test(e.tagName)) {
            continue;
        }
        const [a, b] = [light(numbers(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < worst) {
            [worst, where] = [ratio, e.outerHTML.slice(0, 80)];
        }
    }
    ok(worst >= 7, 'contrast is 7:1 and better', `${worst.toFixed(2)}: ${where}`);
    return findings;
}
