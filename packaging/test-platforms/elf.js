"use strict";

/**
 * Edits ELF files, 64-bit and little-endian, so that a Node.js which is linked with a musl of 2023
 * runs with Debian's musl 1.2.3, and is recognised as what it is.
 */

const { readFileSync, writeFileSync } = require("node:fs");

/** Types of program headers. */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_NOTE = 4;

/** Tags in the dynamic section. */
const DT_RELA = 7;
const DT_RELASZ = 8;
const DT_RELRSZ = 0x23;
const DT_RELR = 0x24;
const DT_RELRENT = 0x25;
/** One that no linker knows. */
const DT_IGNORED = 0x6000_00f0;

/** The relocation that adds the address of the library, by machine: x86-64, arm64. */
const RELATIVE = { 62: 8n, 183: 1027n };

/** Readable, in the flags of a program header. */
const PF_R = 4;
const PAGE = 0x1_0000;

/** Bytes that detect-libc reads of an executable. */
const DETECTED = 2048;
/** patchelf fills the room that it has made with this letter. */
const FILLER = "X";

class Elf {
  constructor(bytes) {
    this.bytes = bytes;
    const start = this.number(32);
    const size = bytes.readUInt16LE(54);
    this.headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => start + i * size);
  }

  number(at) {
    return Number(this.bytes.readBigUInt64LE(at));
  }

  put(at, number) {
    this.bytes.writeBigUInt64LE(BigInt(number), at);
  }

  /** @returns {number} where the first program header of a type is */
  header(type) {
    const found = this.headers.find((at) => this.bytes.readUInt32LE(at) === type);
    if (found === undefined) throw new Error(`there is no program header of type ${type}`);
    return found;
  }

  segment(at) {
    const [offset, address, , size, memory] = [8, 16, 24, 32, 40].map((of) => this.number(at + of));
    return { type: this.bytes.readUInt32LE(at), offset, address, size, memory };
  }

  loaded() {
    return this.headers.map((at) => this.segment(at)).filter(({ type }) => type === PT_LOAD);
  }

  /** @returns {number} where in the file an address is loaded from */
  offsetOf(address) {
    const isIn = (it) => it.address <= address && address < it.address + it.size;
    const found = this.loaded().find(isIn);
    if (found === undefined) throw new Error(`nothing is loaded at ${address}`);
    return address - found.address + found.offset;
  }

  /** @returns {Map<number, number>} where in the file the value of each dynamic tag is */
  dynamic() {
    const { offset, size } = this.segment(this.header(PT_DYNAMIC));
    const entries = Array.from({ length: size / 16 }, (_, i) => offset + 16 * i);
    return new Map(entries.map((at) => [this.number(at), at + 8]));
  }
}

/**
 * Turns the packed relocations of a library into ordinary ones: a musl before 1.2.4 leaves out the
 * former, and the process crashes. They need more room, and get a segment of their own at the end, for
 * which a note gives up its program header.
 *
 * @param {string} file
 */
function unpackRelocations(file) {
  const elf = new Elf(readFileSync(file));
  const tags = elf.dynamic();
  if (!tags.has(DT_RELR)) return;
  const table = Buffer.concat([
    sectionOf(elf, tags, DT_RELA, DT_RELASZ),
    ordinary(elf, packedAddresses(sectionOf(elf, tags, DT_RELR, DT_RELRSZ))),
  ]);
  const address = append(elf, table);
  elf.put(tags.get(DT_RELA), address);
  elf.put(tags.get(DT_RELASZ), table.length);
  for (const tag of [DT_RELR, DT_RELRSZ, DT_RELRENT]) elf.put(tags.get(tag) - 8, DT_IGNORED);
  writeFileSync(file, elf.bytes);
}

function sectionOf(elf, tags, start, size) {
  const offset = elf.offsetOf(elf.number(tags.get(start)));
  return elf.bytes.subarray(offset, offset + elf.number(tags.get(size)));
}

/**
 * An even word is an address; each bit of an odd one stands for one of the 63 words that follow.
 *
 * @param {Buffer} section of the type SHT_RELR
 * @returns {number[]} the addresses that have to be relocated
 */
function packedAddresses(section) {
  const addresses = [];
  let next = 0;
  for (let at = 0; at < section.length; at += 8) {
    const word = section.readBigUInt64LE(at);
    if ((word & 1n) === 0n) {
      addresses.push(Number(word));
      next = Number(word) + 8;
      continue;
    }
    for (let bit = 0; bit < 63; bit++) {
      if ((word >> BigInt(bit + 1)) & 1n) addresses.push(next + 8 * bit);
    }
    next += 8 * 63;
  }
  return addresses;
}

/** @returns {Buffer} entries of DT_RELA, with what stands at the addresses as their addends */
function ordinary(elf, addresses) {
  const table = Buffer.alloc(24 * addresses.length);
  const type = RELATIVE[elf.bytes.readUInt16LE(18)];
  addresses.forEach((address, i) => {
    table.writeBigUInt64LE(BigInt(address), 24 * i);
    table.writeBigUInt64LE(type, 24 * i + 8);
    table.writeBigUInt64LE(elf.bytes.readBigUInt64LE(elf.offsetOf(address)), 24 * i + 16);
  });
  return table;
}

/** Adds a segment. @returns {number} its address */
function append(elf, content) {
  const header = elf.header(PT_NOTE);
  const toPage = (number) => Math.ceil(number / PAGE) * PAGE;
  const offset = toPage(elf.bytes.length);
  const address = toPage(Math.max(...elf.loaded().map((it) => it.address + it.memory)));
  elf.bytes = Buffer.concat([elf.bytes, Buffer.alloc(offset - elf.bytes.length), content]);
  elf.bytes.writeUInt32LE(PT_LOAD, header);
  elf.bytes.writeUInt32LE(PF_R, header + 4);
  const fields = [offset, address, address, content.length, content.length, PAGE];
  fields.forEach((value, i) => {
    elf.put(header + 8 + 8 * i, value);
  });
  return address;
}

/**
 * Writes the name of an executable's loader where detect-libc looks for it. That of Alpine's Node.js
 * stands there; those of wheels stand at their end.
 *
 * @param {string} file
 */
function moveInterpreterUp(file) {
  const elf = new Elf(readFileSync(file));
  const header = elf.header(PT_INTERP);
  const { offset, size } = elf.segment(header);
  if (offset + size <= DETECTED) return;
  const room = elf.bytes.indexOf(FILLER.repeat(size));
  if (room < 0 || room + size > DETECTED) throw new Error(`${file} has no room for its loader`);
  elf.bytes.copy(elf.bytes, room, offset, offset + size);
  elf.put(header + 8, room);
  writeFileSync(file, elf.bytes);
}

module.exports = { moveInterpreterUp, unpackRelocations };
