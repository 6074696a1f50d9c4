"use strict";

/**
 * Chromium, Firefox and WebKit behind one interface, for tests that run in all three. A test for
 * Chromium alone takes `../chromium.js`, which has all of Playwright.
 *
 * @typedef {object} BrowserKind
 * @property {string} name
 * @property {string | false} skip the reason to skip its tests; with `CI=true` only on the fallback
 * @property {() => Promise<Browser>} launch
 *
 * @typedef {object} Browser
 * @property {string} version
 * @property {(url: string, size?: { width: number, height: number }) => Promise<Page>} open a page in
 *   a profile of its own, when it has loaded; WebKit is never narrower than 447 pixels
 * @property {() => Promise<void>} close ends the browser and all of its pages
 *
 * @typedef {object} Page
 * @property {(fn: (arg: unknown) => unknown, arg?: unknown) => Promise<unknown>} evaluate calls a
 *   function in the page, and resolves with its result; argument and result are JSON
 * @property {(fn: (arg: unknown) => unknown, arg?: unknown) => Promise<void>} waitFor waits until a
 *   function in the page returns a true value
 * @property {(selector: string) => Promise<void>} click
 * @property {(selector: string, text: string) => Promise<void>} fill
 * @property {() => Promise<void>} reload
 * @property {() => Promise<Buffer>} screenshot of the viewport, as PNG
 * @property {string[]} complaints errors that were thrown or logged in the page; always empty in
 *   WebKit, which does not report them
 * @property {() => Promise<void>} close
 */

const { chromium } = require("./chromium.js");
const { firefox } = require("./firefox.js");
const { webkit } = require("./webkit.js");

/** @type {BrowserKind[]} */
const browsers = [chromium, firefox, webkit];

module.exports = { browsers };
