"use strict";

/**
 * Reads the head of a request. Heads that differ in a few values only share what they have in common: names and
 * values that hold no secret are kept once, in a `HeadForm`, and a request keeps the values of its own.
 *
 * Measured with the 13 headers that Chrome sends, all read as socket.io does, on Node.js 20: a request keeps 416
 * bytes. With a list of its own for `rawHeaders` it would keep 240 bytes more.
 */

const { IncomingMessage } = require("node:http");
const { COMMON_HEADERS, COMMON_URL } = require("../engine/shared-strings.js");

/** More than the clients of one application have. What peers make up cannot fill the memory. */
const MAX_FORMS = 256;

/** In characters, of all that a form keeps; longer heads share nothing. Chrome's have 450. */
const MAX_FORM_LENGTH = 2048;

/** Engine.IO needs no more headers, and V8 makes objects with this many properties as fields. */
const MAX_SHARED_HEADERS = 64;

/** Stands for a value of the request's own in the key of a form: no header contains it. */
const OWN = "\0";

const { _addHeaderLine: addHeaderLine } = IncomingMessage.prototype;

const known = new Map();

/** For strings of a request's own; a part of the head would keep all of it. */
const copyBuffer = Buffer.allocUnsafeSlow(MAX_FORM_LENGTH);

/** What the heads of many requests have in common. */
class HeadForm {
  /**
   * @param {string} method
   * @param {string | null} url null if each request has its own
   * @param {string} version such as "1.1"
   * @param {string[]} rawHeaders names and values; `OWN` for values of the request's own
   */
  constructor(method, url, version, rawHeaders) {
    this.method = method;
    this.url = url;
    this.httpVersion = version;
    this.httpVersionMajor = Number(version[0]);
    this.httpVersionMinor = Number(version[2]);
    this.rawHeaders = rawHeaders;
    const headers = headersFrom(rawHeaders, false);
    /** True for the request of an upgrade, as Node.js decides. */
    this.isUpgrade = headers.upgrade !== undefined && /upgrade/i.test(headers.connection);
    /** Names in `headers` of the request's own values; null if `headers` must be made of `rawHeaders`. */
    this.ownNames = ownNamesIn(rawHeaders, headers);
    // `JSON.parse()` makes objects whose properties are all fields of the object itself.
    this.headers = this.ownNames && JSON.parse(JSON.stringify(headers));
  }
}

/**
 * Returns the form of a head, and the values of its own.
 *
 * @param {string} head of a valid request: request line, header lines, an empty line
 * @returns {{ form: HeadForm, own: string[] }} the URL comes first, if it is one of the values
 */
function readHead(head) {
  const lineEnd = head.indexOf("\r\n");
  const methodEnd = head.indexOf(" ");
  const urlEnd = head.indexOf(" ", methodEnd + 1);
  const own = [];
  const url = head.slice(methodEnd + 1, urlEnd);
  const isCommonUrl = COMMON_URL.test(url);
  if (!isCommonUrl) own.push(copyOf(url));
  let key = isCommonUrl
    ? head.slice(0, lineEnd)
    : head.slice(0, methodEnd) + head.slice(urlEnd, lineEnd);
  const rawHeaders = [];
  for (let start = lineEnd + 2; start + 2 < head.length; ) {
    const colon = head.indexOf(":", start);
    const end = head.indexOf("\r\n", colon);
    const name = head.slice(start, colon);
    const value = trimmed(head, colon + 1, end);
    if (COMMON_HEADERS.has(name) || COMMON_HEADERS.has(name.toLowerCase())) {
      rawHeaders.push(name, value);
      key += `\n${name}:${value}`;
    } else {
      rawHeaders.push(name, OWN);
      own.push(copyOf(value));
      key += `\n${name}:${OWN}`;
    }
    start = end + 2;
  }
  const isShared = key.length <= MAX_FORM_LENGTH && rawHeaders.length <= 2 * MAX_SHARED_HEADERS;
  const earlier = isShared ? known.get(key) : undefined;
  if (earlier !== undefined) return { form: earlier, own };
  const method = copyOf(head.slice(0, methodEnd));
  const version = copyOf(head.slice(lineEnd - 3, lineEnd));
  const form = new HeadForm(
    method,
    isCommonUrl ? copyOf(url) : null,
    version,
    rawHeaders.map(copyOf),
  );
  if (isShared) remember(key, form);
  return { form, own };
}

function remember(key, form) {
  if (known.size === MAX_FORMS) known.clear();
  known.set(copyOf(key), form);
}

/** Returns a part of a text without spaces and tabs around it. RFC 9110 §5.5, "Field Values". */
function trimmed(text, start, end) {
  let first = start;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first++;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
  return text.slice(first, last);
}

function isBlank(code) {
  return code === 0x20 || code === 0x09;
}

/** Returns an equal string that does not refer to a longer one. */
function copyOf(text) {
  // V8 copies parts of up to 12 characters.
  if (text.length <= 12) return text;
  if (text.length > copyBuffer.length) return Buffer.from(text, "latin1").latin1Slice();
  return copyBuffer.latin1Slice(0, copyBuffer.latin1Write(text));
}

/** Returns `headers` as Node.js makes it of `rawHeaders`. */
function headersFrom(rawHeaders, joinDuplicateHeaders) {
  const headers = {};
  const rules = { joinDuplicateHeaders };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    addHeaderLine.call(rules, rawHeaders[index], rawHeaders[index + 1], headers);
  }
  return headers;
}

/** See `HeadForm.ownNames`. */
function ownNamesIn(rawHeaders, headers) {
  const names = [];
  const seen = new Set();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index].toLowerCase();
    if (seen.has(name) || headers[name] !== rawHeaders[index + 1]) return null;
    seen.add(name);
    if (rawHeaders[index + 1] === OWN) names.push(name);
  }
  return names;
}

/**
 * @param {HeadForm} form
 * @param {string[]} own
 * @returns {string[]} a new list
 */
function rawHeadersOf({ rawHeaders, url }, own) {
  let next = url === null ? 1 : 0;
  return rawHeaders.map((text) => (text === OWN ? own[next++] : text));
}

/**
 * @param {HeadForm} form
 * @param {string[]} own
 * @param {boolean | undefined} joinDuplicateHeaders of the server
 * @returns {Record<string, string | string[]>} a new object
 */
function headersOf(form, own, joinDuplicateHeaders) {
  if (form.ownNames === null) return headersFrom(rawHeadersOf(form, own), joinDuplicateHeaders);
  const headers = { ...form.headers };
  let next = form.url === null ? 1 : 0;
  for (const name of form.ownNames) headers[name] = own[next++];
  return headers;
}

/** Returns the URL of a request. */
function urlOf(form, own) {
  return form.url ?? own[0];
}

module.exports = { headersOf, rawHeadersOf, readHead, urlOf };
