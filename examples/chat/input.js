/**
 * What a peer may send. Nothing that comes from a socket is used before it went through one of
 * these functions; each returns a clean value or throws an `InputError` whose text is for the user.
 */

const IMAGE_LIMIT = 2 * 1024 * 1024;
const TEXT_LIMIT = 2000;
const NAME_LIMIT = 24;
const FILE_NAME_LIMIT = 80;

const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._'-]*$/u;
const ROOM = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*$/u;
const ID = /^[\w-]{8,64}$/;

/** Thrown for input that a well-behaved page never sends; the message is shown to its user. */
class InputError extends Error {}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>} the same value, known to be an object
 */
function parseObject(value) {
  if (typeof value !== "object" || value === null) throw new InputError("An object was expected");
  return /** @type {Record<string, unknown>} */ (value);
}

/**
 * @param {unknown} value
 * @param {string} what the name of the field, for the error
 * @param {number} limit the greatest length, in UTF-16 units
 * @returns {string} trimmed, normalized text of 1 to `limit` units
 */
function parseText(value, what, limit) {
  if (typeof value !== "string") throw new InputError(`${what} must be text`);
  // Checked before the text is walked: normalization of a megabyte is not free.
  if (value.length > limit) throw new InputError(`${what} is longer than ${limit} characters`);
  const text = value.toWellFormed().normalize("NFC").trim();
  if (text === "") throw new InputError(`${what} is empty`);
  return text;
}

/**
 * @param {unknown} value
 * @returns {string} a person's name, for display
 */
function parseName(value) {
  const name = parseText(value, "The name", NAME_LIMIT).replace(/ +/g, " ");
  if (!NAME.test(name)) throw new InputError("A name has letters, digits, spaces and . _ ' - only");
  return name;
}

/**
 * @param {unknown} value
 * @returns {string} a room's name, in lower case
 */
function parseRoom(value) {
  const room = parseText(value, "The room's name", NAME_LIMIT).toLowerCase().replace(/\s+/g, "-");
  if (!ROOM.test(room)) throw new InputError("A room's name has letters, digits, _ and - only");
  return room;
}

/**
 * @param {unknown} value
 * @returns {string} an identifier that a page made: of a message, or of the page itself
 */
function parseId(value) {
  if (typeof value !== "string" || !ID.test(value)) throw new InputError("The id is not valid");
  return value;
}

/**
 * Tells an image by its first bytes, since the type that a peer claims proves nothing. SVG is left
 * out on purpose: it can carry scripts.
 *
 * @param {Uint8Array} data
 * @returns {string | undefined} a media type
 */
function imageType(data) {
  const start = Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, 12)).toString(
    "latin1",
  );
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (start.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (start.startsWith("GIF8")) return "image/gif";
  if (start.startsWith("RIFF") && start.endsWith("WEBP")) return "image/webp";
  return undefined;
}

/**
 * @param {unknown} value
 * @returns {{ name: string, type: string, data: Uint8Array }}
 */
function parseImage(value) {
  const { name, data } = parseObject(value);
  if (!(data instanceof Uint8Array)) throw new InputError("The image must be binary");
  if (data.length > IMAGE_LIMIT) {
    throw new InputError(`The image is larger than ${IMAGE_LIMIT / 1024 / 1024} MiB`);
  }
  const type = imageType(data);
  if (!type) throw new InputError("Only PNG, JPEG, GIF and WebP images can be sent");
  return { name: parseText(name, "The image's name", FILE_NAME_LIMIT), type, data };
}

/**
 * @param {unknown} value
 * @returns {{ room: string } | { to: string }} a room, or one person
 */
function parseDestination(value) {
  const { room, to } = parseObject(value);
  return to === undefined ? { room: parseRoom(room) } : { to: parseName(to) };
}

/**
 * @param {unknown} value
 * @returns {{ id: string, room?: string, to?: string, text?: string, image?: object }}
 */
function parseMessage(value) {
  const { id, text, image } = parseObject(value);
  const content =
    image === undefined
      ? { text: parseText(text, "The message", TEXT_LIMIT) }
      : { image: parseImage(image) };
  return { id: parseId(id), ...parseDestination(value), ...content };
}

module.exports = {
  FILE_NAME_LIMIT,
  IMAGE_LIMIT,
  InputError,
  NAME_LIMIT,
  TEXT_LIMIT,
  parseDestination,
  parseId,
  parseMessage,
  parseName,
  parseObject,
  parseRoom,
  parseText,
};
