/** CRC-32C, the check of LevelDB's tables; zlib has only the other one. Pure. */

/** What eight bytes in a row do to it, one table for each: five times as fast as one by one. */
const [t0, t1, t2, t3, t4, t5, t6, t7] = tablesOf();

export function crc32c(bytes: Uint8Array): number {
  const wholeBytes = bytes.length - bytes.length % 8;
  let sum = -1;
  for (let at = 0; at < wholeBytes; at += 8) {
    const first = sum ^ wordAt(bytes, at);
    sum = of(t7, first) ^ of(t6, first >>> 8) ^ of(t5, first >>> 16) ^ of(t4, first >>> 24);
    const second = wordAt(bytes, at + 4);
    sum ^= of(t3, second) ^ of(t2, second >>> 8) ^ of(t1, second >>> 16) ^ of(t0, second >>> 24);
  }
  for (const byte of bytes.subarray(wholeBytes)) sum = of(t0, sum ^ byte) ^ (sum >>> 8);
  return ~sum >>> 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) | byteAt(bytes, at + 1) << 8
    | byteAt(bytes, at + 2) << 16 | byteAt(bytes, at + 3) << 24;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function of(table: Uint32Array, word: number): number {
  return table[word & 255] as number;
}

type Tables = readonly [
  Uint32Array, Uint32Array, Uint32Array, Uint32Array,
  Uint32Array, Uint32Array, Uint32Array, Uint32Array,
];

function tablesOf(): Tables {
  const bits = Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
    return sum >>> 0;
  });
  const next = (table: Uint32Array): Uint32Array => {
    return table.map((sum) => (sum >>> 8) ^ of(bits, sum));
  };
  const [second, fourth] = [next(bits), next(next(next(bits)))];
  const sixth = next(next(fourth));
  return [bits, second, next(second), fourth, next(fourth), sixth, next(sixth), next(next(sixth))];
}
