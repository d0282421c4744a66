/** Files that a seed makes, so that a device which has nothing but words can be asked for them. */
import { createCipheriv, createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";

const MiB = 1024 * 1024;
/** Most files are small, most bytes are in large ones. */
const sizesBytes = [300, 4_000, 70_000, 900_000, 16 * MiB];

export interface SeededFile {
  readonly path: string;
  readonly bytes: number;
}

/** Names and sizes that come to about so many bytes. */
export function planFiles(seed: string, { bytes }: { readonly bytes: number }): SeededFile[] {
  const random = seededRandom(`seeded files/${seed}`);
  const files: SeededFile[] = [];
  for (let left = bytes; left > 0; left -= files.at(-1)?.bytes ?? 0) {
    const size = sizesBytes[random.below(sizesBytes.length)] as number;
    const own = Math.min(left, 1 + size / 2 + random.below(size));
    files.push({ path: `folder ${files.length % 7}/file ${files.length}`, bytes: Math.ceil(own) });
  }
  return files;
}

export function writeFiles(folder: string, seed: string, files: readonly SeededFile[]): void {
  for (const file of files) {
    const path = join(folder, file.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contentOf(seed, file));
  }
}

/** The files that are not there, or not the same byte for byte. */
export function unequalFiles(
  folder: string, seed: string, files: readonly SeededFile[],
): readonly string[] {
  const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  return files.filter((file) => {
    const found = readFileSync(join(folder, file.path));
    return found.length !== file.bytes || hashOf(found) !== hashOf(contentOf(seed, file));
  }).map(({ path }) => path);
}

/** A keystream: nothing of it compresses, and no two files share a chunk. */
function contentOf(seed: string, { path, bytes }: SeededFile): Buffer {
  const key = createHash("sha256").update(`${seed}/${path}`).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}
