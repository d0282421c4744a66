/** A file's bytes in memory, in pieces; a piece that was never written is a hole. */
import { HiveError } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import { limits } from "../../src/base/limits.ts";

/** As coarse as the real tree's, which the contract counts on. */
const pieceBytes = limits.tree.chunkBytes;
const zeros = Buffer.alloc(pieceBytes);

export class MemoryFile {
  readonly #pieces = new Map<number, Buffer>();
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get storedBytes(): number {
    return this.#pieces.size * pieceBytes;
  }

  read(range: ByteRange): readonly Uint8Array[] {
    const end = Math.min(range.offsetBytes + range.lengthBytes, this.#sizeBytes);
    const result: Uint8Array[] = [];
    for (const part of parts(range.offsetBytes, end)) {
      const piece = this.#pieces.get(part.index) ?? zeros;
      result.push(piece.subarray(part.start, part.end));
    }
    return result;
  }

  write(offsetBytes: number, bytes: Uint8Array): void {
    const end = offsetBytes + bytes.length;
    for (const part of parts(offsetBytes, end)) {
      const from = part.index * pieceBytes + part.start - offsetBytes;
      this.#piece(part).set(bytes.subarray(from, from + part.end - part.start), part.start);
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, end);
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) {
      this.clear({ offsetBytes: sizeBytes, lengthBytes: this.#sizeBytes - sizeBytes });
    }
    this.#sizeBytes = sizeBytes;
  }

  /** Zeros, and holes where whole pieces are covered (past the end counts as covered). */
  clear(range: ByteRange): void {
    const end = range.offsetBytes + range.lengthBytes;
    const reachesEnd = end >= this.#sizeBytes;
    for (const index of [...this.#pieces.keys()]) {
      const start = Math.max(range.offsetBytes - index * pieceBytes, 0);
      const stop = reachesEnd ? pieceBytes : Math.min(end - index * pieceBytes, pieceBytes);
      if (stop <= start) continue;
      if (start === 0 && stop === pieceBytes) this.#pieces.delete(index);
      else this.#pieces.get(index)?.fill(0, start, stop);
    }
  }

  seek(offsetBytes: number, whence: "data" | "hole"): number {
    if (offsetBytes >= this.#sizeBytes) throw new HiveError("NoData", "memory.seek", whence);
    for (const part of parts(offsetBytes, this.#sizeBytes)) {
      const isData = this.#pieces.has(part.index);
      if (isData === (whence === "data")) return part.index * pieceBytes + part.start;
    }
    if (whence === "hole") return this.#sizeBytes;
    throw new HiveError("NoData", "memory.seek", whence);
  }

  #piece(part: { index: number; start: number; end: number }): Buffer {
    const old = this.#pieces.get(part.index);
    if (old !== undefined) return old;
    const whole = part.start === 0 && part.end === pieceBytes;
    const made = whole ? Buffer.allocUnsafeSlow(pieceBytes) : Buffer.alloc(pieceBytes);
    this.#pieces.set(part.index, made);
    return made;
  }
}

function* parts(from: number, to: number): Generator<{ index: number; start: number; end: number }> {
  for (let at = from; at < to; ) {
    const index = Math.floor(at / pieceBytes);
    const end = Math.min(to - index * pieceBytes, pieceBytes);
    yield { index, start: at - index * pieceBytes, end };
    at = index * pieceBytes + end;
  }
}
