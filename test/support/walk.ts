/** The whole of a tree, read through the FileSystem port, as values that tests can compare. */
import { createHash } from "node:crypto";
import { MiB } from "../../src/base/bytes.ts";
import type { Attributes, FileSystem } from "../../src/base/filesystem.ts";
import { type Ino, type Name, parseName, rootIno } from "../../src/base/ids.ts";

export interface Seen {
  readonly attributes: Attributes;
  readonly xattrs: readonly string[];
  /** SHA-256 of a file's bytes, or a symlink's target. */
  readonly content: string;
}

export const nobody = { uid: 0, gid: 0, pid: 1 };

/** Every path below the root, in order. */
export async function walkTree(fs: FileSystem): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  await walkDirectory(fs, rootIno, "", seen);
  return new Map([...seen].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function walkDirectory(
  fs: FileSystem,
  ino: Ino,
  path: string,
  seen: Map<string, Seen>,
): Promise<void> {
  seen.set(path === "" ? "/" : path, await look(fs, await fs.getattr(ino)));
  for (const { name, attributes } of await listDirectory(fs, ino)) {
    const below = `${path}/${name}`;
    const directory = (attributes.mode & 0o170000) === 0o040000;
    if (directory) await walkDirectory(fs, attributes.ino, below, seen);
    else seen.set(below, await look(fs, attributes));
    fs.forget(attributes.ino, 1);
  }
}

export interface Listed {
  readonly name: Name;
  readonly attributes: Attributes;
}

/** All names of a directory but the dots, a few at a time, each looked up once. */
export async function listDirectory(fs: FileSystem, ino: Ino, atOnce = 7): Promise<Listed[]> {
  const handle = await fs.opendir(ino);
  const items: Listed[] = [];
  let afterCookie = 0;
  for (let more = true; more; ) {
    more = false;
    let count = 0;
    await fs.readdir(handle, { afterCookie, plus: true }, (item) => {
      more = count++ >= atOnce;
      if (more) return false;
      afterCookie = item.cookie;
      const { name, attributes } = item;
      if (attributes !== undefined) items.push({ name: name as Name, attributes });
      return true;
    });
  }
  await fs.releasedir(handle);
  return items;
}

async function look(fs: FileSystem, attributes: Attributes): Promise<Seen> {
  const names = await fs.listxattr(attributes.ino);
  const xattrs: string[] = [];
  for (const name of [...names].sort()) {
    const value = Buffer.from(await fs.getxattr(attributes.ino, name));
    xattrs.push(`${name}=${value.toString("hex")}`);
  }
  return { attributes, xattrs, content: await contentOf(fs, attributes) };
}

async function contentOf(fs: FileSystem, attributes: Attributes): Promise<string> {
  const type = attributes.mode & 0o170000;
  if (type === 0o120000) return Buffer.from(await fs.readlink(attributes.ino)).toString("latin1");
  return type === 0o100000 ? hashOf(await readFile(fs, attributes.ino)) : "";
}

/** A mebibyte at a time, as the kernel does. */
export async function readFile(fs: FileSystem, ino: Ino): Promise<Buffer> {
  const flags = { read: true, write: false, append: false, truncate: false };
  const handle = await fs.open(nobody, ino, flags);
  const { sizeBytes } = await fs.getattr(ino);
  const pieces: Uint8Array[] = [];
  for (let offsetBytes = 0; offsetBytes < sizeBytes; offsetBytes += MiB) {
    const lengthBytes = Math.min(MiB, sizeBytes - offsetBytes);
    pieces.push(...await fs.read(handle, { offsetBytes, lengthBytes }));
  }
  await fs.release(handle);
  return Buffer.concat(pieces);
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** A file of this text at the root, made or written over. */
export async function writeIn(fs: FileSystem, name: string, text: string): Promise<void> {
  const flags = { read: true, write: true, append: false, truncate: true, exclusive: false };
  const at = { parent: rootIno, name: parseName(name) };
  const { handle } = await fs.create(nobody, at, { mode: 0o644 }, flags);
  await fs.write(handle, 0, Buffer.from(text));
  await fs.release(handle);
}
