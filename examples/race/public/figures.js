/** Numbers as people read them. */

const THIN_SPACE = "\u2009";

/**
 * @param {number | null} value
 * @param {number} [digits] that count, at least; 0 keeps integers only
 * @returns {string} with separators, and a decimal only where it says something
 */
export function figure(value, digits = 2) {
  if (value === null || Number.isNaN(value)) return "–";
  const decimals = Math.abs(value) < 10 ** (digits - 1) ? 1 : 0;
  return value.toLocaleString("en", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** @returns {string} a number for the axis of a chart: `12k` for 12,000 */
export function axisFigure(value) {
  if (value >= 1e6) return `${trim(value / 1e6)}M`;
  return value >= 1e3 ? `${trim(value / 1e3)}k` : trim(value);
}

/** @returns {string} bytes, with their unit */
export function bytes(value) {
  return value < 1024 ? `${value}${THIN_SPACE}B` : `${trim(value / 1024)}${THIN_SPACE}KiB`;
}

function trim(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 1 });
}
