"use strict";

/**
 * Reads the arguments of `listen()` of a server, as Node.js does, if they name a port of TCP.
 *
 * @param {unknown[]} args
 * @returns {{ port: number, host?: string, backlog?: number, ipv6Only: boolean, reusePort: boolean,
 *   signal?: AbortSignal, callback: Function | null } | null} `null` for all else: paths, handles, descriptors, and
 *   what is not allowed
 */
function readListenArguments(args) {
  const last = args.at(-1);
  const callback = typeof last === "function" ? last : null;
  const [first, ...rest] = callback === null ? args : args.slice(0, -1);
  const isOptions = typeof first === "object" && first !== null;
  const options = isOptions ? first : fromList(first, rest);
  const isTcp =
    !isOptions || !["path", "fd", "_handle", "handle", "tls"].some((name) => name in first);
  const port = readPort(options.port, isOptions);
  if (!isTcp || port === null || !isHost(options.host)) return null;
  const { host, backlog, ipv6Only, reusePort, signal } = options;
  const flags = { ipv6Only: Boolean(ipv6Only), reusePort: Boolean(reusePort) };
  return {
    ...flags,
    port,
    host: host || undefined,
    backlog: Number(backlog) || undefined,
    signal,
    callback,
  };
}

function fromList(port, [second, third]) {
  return typeof second === "number"
    ? { port, backlog: second }
    : { port, host: second ?? undefined, backlog: third };
}

/** Returns a number; `null` if this is none. Options need a port, arguments do not. */
function readPort(port, isOptions) {
  if (port === undefined || port === null) return isOptions ? null : 0;
  if (typeof port !== "number" && (typeof port !== "string" || port.trim() === "")) return null;
  const number = Number(port);
  return Number.isInteger(number) && number >= 0 && number <= 0xffff ? number : null;
}

function isHost(host) {
  return host === undefined || host === null || typeof host === "string";
}

module.exports = { readListenArguments };
