/** Making folders and files in a tree, all by one user: what a test begins with. */
import type { FileSystem, Place } from "../../src/base/filesystem.ts";
import { type Ino, parseName } from "../../src/base/ids.ts";
import { nobody } from "./walk.ts";

/** Of a file that was not there before. */
export const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };

export function place(parent: Ino, name: string): Place {
  return { parent, name: parseName(name) };
}

export async function folderIn(fs: FileSystem, parent: Ino, name: string): Promise<Ino> {
  return (await fs.mkdir(nobody, place(parent, name), { mode: 0o755 })).ino;
}

export async function fileIn(
  fs: FileSystem, parent: Ino, name: string, bytes: Uint8Array,
): Promise<Ino> {
  const made = await fs.create(nobody, place(parent, name), { mode: 0o644 }, flags);
  await fs.write(made.handle, 0, bytes);
  await fs.release(made.handle);
  return made.attributes.ino;
}
