/**
 * The contract of the FileSystem port: what the kernel, and through it every program, may expect.
 * Call it with a factory that opens an empty file system.
 */
import { test } from "tap";
import type { FileSystem, OpenFlags } from "../../src/base/filesystem.ts";
import { type Handle, type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { faultOf } from "../support/faults.ts";
import { place } from "../support/making.ts";
import { listDirectory, readFile } from "../support/walk.ts";

const root = { uid: 0, gid: 0, pid: 1 };
const user = { uid: 1000, gid: 1000, pid: 2 };
const readWrite: OpenFlags = { read: true, write: true, append: false, truncate: false };
const { chunkBytes } = limits.tree;

export type OpenFileSystem = () => Promise<FileSystem & AsyncDisposable>;


export function testFileSystem(what: string, open: OpenFileSystem): void {
  const check = (says: string, act: (t: Tap, fs: FileSystem) => Promise<void>) =>
    test(`${what}: ${says}`, async (t) => {
      await using fs = await open();
      await act(t, fs);
    });
  testNames(check);
  testLinks(check);
  testRename(check);
  testBytes(check);
  testHoles(check);
  testAttributes(check);
  testXattrs(check);
  testListing(check);
}

type Tap = Parameters<Parameters<typeof test>[0]>[0];
type Check = (says: string, act: (t: Tap, fs: FileSystem) => Promise<void>) => void;

async function newFile(fs: FileSystem, parent: Ino, name: string) {
  const flags = { ...readWrite, exclusive: true };
  return await fs.create(root, place(parent, name), { mode: 0o644 }, flags);
}

async function write(fs: FileSystem, handle: Handle, offset: number, text: string | Buffer) {
  return await fs.write(handle, offset, Buffer.from(text));
}

function testNames(check: Check): void {
  check("a new file is found, is empty, and is its maker's", async (t, fs) => {
    const flags = { ...readWrite, exclusive: true };
    const made = await fs.create(user, place(rootIno, "a"), { mode: 0o640 }, flags);
    const seen = await fs.lookup(place(rootIno, "a"));
    t.strictSame(seen, made.attributes);
    t.match(seen, { mode: 0o100640, uid: 1000, gid: 1000, links: 1, sizeBytes: 0, blocks: 0 });
    t.equal(await faultOf(() => fs.lookup(place(rootIno, "b"))), "NotFound");
    t.equal(await faultOf(() => newFile(fs, rootIno, "a")), "Exists");
  });
  check("names are bytes, of 255 at most", async (t, fs) => {
    const odd = "\x01\xff caf\xc3\xa9\n";
    await newFile(fs, rootIno, odd);
    await newFile(fs, rootIno, "x".repeat(255));
    const names = (await listDirectory(fs, rootIno)).map(({ name }) => String(name)).sort();
    t.strictSame(names, [odd, "x".repeat(255)].sort());
    const long = { parent: rootIno, name: "x".repeat(256) as ReturnType<typeof parseName> };
    t.equal(await faultOf(() => fs.mkdir(root, long, { mode: 0o755 })), "NameTooLong");
  });
  check("directories count their sub-directories and go only when empty", async (t, fs) => {
    const { ino } = await fs.mkdir(root, place(rootIno, "d"), { mode: 0o755 });
    await fs.mkdir(root, place(ino, "e"), { mode: 0o755 });
    t.equal((await fs.getattr(ino)).links, 3);
    t.equal((await fs.getattr(rootIno)).links, 3);
    t.equal(await faultOf(() => fs.rmdir(root, place(rootIno, "d"))), "NotEmpty");
    t.equal(await faultOf(() => fs.unlink(root, place(rootIno, "d"))), "IsDirectory");
    await fs.rmdir(root, place(ino, "e"));
    await fs.rmdir(root, place(rootIno, "d"));
    t.equal((await fs.getattr(rootIno)).links, 2);
    t.equal(await faultOf(() => newFile(fs, ino, "late")), "NotFound", "a removed directory");
  });
  check("symlinks keep targets of up to 4,095 bytes; special files their device", async (t, fs) => {
    const target = Buffer.alloc(4095, "t");
    const { ino, mode, sizeBytes } = await fs.symlink(root, place(rootIno, "s"), target);
    t.ok(Buffer.from(await fs.readlink(ino)).equals(target));
    t.strictSame([mode, sizeBytes], [0o120777, 4095]);
    const long = () => fs.symlink(root, place(rootIno, "l"), Buffer.alloc(4096, "t"));
    t.equal(await faultOf(long), "NameTooLong");
    const node = { mode: 0o020600, rdev: 0x103 };
    t.match(await fs.mknod(root, place(rootIno, "c"), node), { mode: 0o020600, rdev: 0x103 });
    t.match(await fs.mknod(root, place(rootIno, "p"), { mode: 0o010644 }), { mode: 0o010644 });
  });
}

function testLinks(check: Check): void {
  check("hard links are one file, which goes with its last name", async (t, fs) => {
    const { attributes, handle } = await newFile(fs, rootIno, "a");
    const { ino } = attributes;
    t.equal((await fs.link(root, ino, place(rootIno, "b"))).links, 2);
    await write(fs, handle, 0, "shared");
    t.equal((await fs.lookup(place(rootIno, "b"))).sizeBytes, 6);
    await fs.unlink(root, place(rootIno, "a"));
    t.equal((await fs.getattr(ino)).links, 1);
    await fs.unlink(root, place(rootIno, "b"));
    t.equal((await fs.getattr(ino)).links, 0);
    t.equal((await readFile(fs, ino)).toString(), "shared", "open files outlive their names");
    await fs.release(handle);
  });
  check("directories take no links, and taken names none either", async (t, fs) => {
    const { ino } = await fs.mkdir(root, place(rootIno, "d"), { mode: 0o755 });
    t.equal(await faultOf(() => fs.link(root, ino, place(rootIno, "e"))), "NotPermitted");
    const { attributes } = await newFile(fs, rootIno, "a");
    t.equal(await faultOf(() => fs.link(root, attributes.ino, place(rootIno, "d"))), "Exists");
  });
  check("an unlinked open file keeps all its bytes through a sync", async (t, fs) => {
    const { attributes, handle } = await newFile(fs, rootIno, "big");
    await write(fs, handle, 0, Buffer.alloc(20 * chunkBytes, 5));
    await fs.syncAll();
    await fs.unlink(root, place(rootIno, "big"));
    await write(fs, handle, 3, "xyz");
    await fs.syncAll();
    await write(fs, handle, 30 * chunkBytes, "end");
    await fs.syncAll();
    const bytes = await readFile(fs, attributes.ino);
    t.equal(bytes.toString("latin1", 0, 8), "\x05\x05\x05xyz\x05\x05");
    t.equal(bytes.subarray(-3).toString(), "end");
    t.equal(bytes[10 * chunkBytes], 5);
    await fs.release(handle);
  });
  check("a nameless file can be given a name, with its bytes", async (t, fs) => {
    const { attributes, handle } = await fs.tmpfile(root, rootIno, { mode: 0o600 }, readWrite);
    t.equal(attributes.links, 0);
    await write(fs, handle, 0, Buffer.alloc(12 * chunkBytes, 7));
    await fs.syncAll();
    await fs.link(root, attributes.ino, place(rootIno, "named"));
    await fs.fsync(handle);
    const seen = await fs.lookup(place(rootIno, "named"));
    t.strictSame([seen.ino, seen.links], [attributes.ino, 1]);
    t.ok((await readFile(fs, seen.ino)).equals(Buffer.alloc(12 * chunkBytes, 7)));
  });
}

function testRename(check: Check): void {
  check("rename replaces, refuses, exchanges, as asked", async (t, fs) => {
    const a = (await newFile(fs, rootIno, "a")).attributes.ino;
    const b = (await newFile(fs, rootIno, "b")).attributes.ino;
    const [atA, atB, atC] = [place(rootIno, "a"), place(rootIno, "b"), place(rootIno, "c")];
    t.equal(await faultOf(() => fs.rename(root, atA, atB, "noreplace")), "Exists");
    t.equal(await faultOf(() => fs.rename(root, atA, atC, "exchange")), "NotFound");
    await fs.rename(root, atA, atB, "exchange");
    t.equal((await fs.lookup(atA)).ino, b);
    await fs.rename(root, atA, atB, "replace");
    t.equal((await fs.lookup(atB)).ino, b);
    t.equal((await fs.getattr(a)).links, 0);
    t.equal(await faultOf(() => fs.lookup(atA)), "NotFound");
  });
  check("a directory goes over an empty one, never into itself or over a file", async (t, fs) => {
    const d = (await fs.mkdir(root, place(rootIno, "d"), { mode: 0o755 })).ino;
    const e = (await fs.mkdir(root, place(d, "e"), { mode: 0o755 })).ino;
    await newFile(fs, rootIno, "f");
    const at = (name: string) => place(rootIno, name);
    t.equal(await faultOf(() => fs.rename(root, at("d"), place(e, "x"), "replace")), "Invalid");
    t.equal(await faultOf(() => fs.rename(root, at("d"), at("f"), "replace")), "NotDirectory");
    t.equal(await faultOf(() => fs.rename(root, at("f"), at("d"), "replace")), "IsDirectory");
    t.equal(await faultOf(() => fs.rename(root, at("f"), place(d, "e"), "replace")), "IsDirectory");
    const g = (await fs.mkdir(root, at("g"), { mode: 0o755 })).ino;
    t.equal(await faultOf(() => fs.rename(root, at("g"), at("d"), "replace")), "NotEmpty");
    await fs.rename(root, place(d, "e"), at("g"), "replace");
    t.strictSame([(await fs.getattr(d)).links, (await fs.getattr(g)).links], [2, 0]);
    t.equal((await fs.getattr(rootIno)).links, 4);
  });
  check("two names of one file: rename does nothing", async (t, fs) => {
    const { ino } = (await newFile(fs, rootIno, "a")).attributes;
    await fs.link(root, ino, place(rootIno, "b"));
    await fs.rename(root, place(rootIno, "a"), place(rootIno, "b"), "replace");
    t.equal((await fs.getattr(ino)).links, 2);
  });
}

function testBytes(check: Check): void {
  check("bytes are read as written, wherever they lie", async (t, fs) => {
    const { attributes, handle } = await newFile(fs, rootIno, "a");
    const size = 3 * chunkBytes + 12_345;
    const expected = Buffer.alloc(size);
    for (let round = 0; round < 60; round++) {
      const offset = (round * 7_919_191) % size;
      const length = Math.min(size - offset, (round * 10_007) % 300_000);
      expected.fill(round + 1, offset, offset + length);
      await write(fs, handle, offset, expected.subarray(offset, offset + length));
      if (round % 20 === 19) await fs.fsync(handle);
    }
    const bytes = await readFile(fs, attributes.ino);
    t.ok(bytes.equals(expected.subarray(0, bytes.length)));
    const middle = await fs.read(handle, { offsetBytes: chunkBytes - 5, lengthBytes: 10 });
    t.ok(Buffer.concat(middle).equals(expected.subarray(chunkBytes - 5, chunkBytes + 5)));
    t.strictSame(await fs.read(handle, { offsetBytes: size + 5, lengthBytes: 10 }), []);
  });
  check("a cut file that grows again reads as zeros behind the cut", async (t, fs) => {
    for (const [size, cut] of [[1000, 10], [5000, 3000], [600_000, 300_000]] as const) {
      const { attributes, handle } = await newFile(fs, rootIno, `f${size}`);
      await write(fs, handle, 0, Buffer.alloc(size, 9));
      await fs.setattr(root, attributes.ino, { sizeBytes: cut });
      await fs.setattr(root, attributes.ino, { sizeBytes: size });
      const bytes = await readFile(fs, attributes.ino);
      t.ok(bytes.subarray(0, cut).equals(Buffer.alloc(cut, 9)), `${size} before the cut`);
      t.ok(bytes.subarray(cut).equals(Buffer.alloc(size - cut)), `${size} behind the cut`);
    }
  });
  check("opening to truncate empties; directories and read handles take no writes", async (t, fs) => {
    const { attributes, handle } = await newFile(fs, rootIno, "a");
    await write(fs, handle, 0, "content");
    await fs.open(root, attributes.ino, { ...readWrite, truncate: true });
    t.equal((await fs.getattr(attributes.ino)).sizeBytes, 0);
    const reader = await fs.open(root, attributes.ino, { ...readWrite, write: false });
    t.equal(await faultOf(() => fs.write(reader, 0, Buffer.from("x"))), "BadHandle");
    t.equal(await faultOf(() => fs.open(root, rootIno, readWrite)), "IsDirectory");
    await fs.release(reader);
    t.equal(await faultOf(() => fs.read(reader, { offsetBytes: 0, lengthBytes: 1 })), "BadHandle");
  });
}

function testHoles(check: Check): void {
  check("files reach far, and holes cost nothing", async (t, fs) => {
    const { attributes, handle } = await newFile(fs, rootIno, "far");
    const far = 2 ** 52 - 10;
    await write(fs, handle, far, "0123456789");
    await write(fs, handle, 2 ** 40, "middle");
    t.equal(await faultOf(() => fs.write(handle, far + 1, Buffer.from("0123456789"))), "TooLarge");
    await fs.syncAll();
    const { sizeBytes, blocks } = await fs.getattr(attributes.ino);
    t.equal(sizeBytes, 2 ** 52);
    t.ok(blocks * 512 <= 2 * chunkBytes, `${blocks} blocks`);
    const read = await fs.read(handle, { offsetBytes: far - 2, lengthBytes: 20 });
    t.equal(Buffer.concat(read).toString("latin1"), "\0\x000123456789");
    t.equal(await fs.seek(handle, 0, "data"), 2 ** 40);
    t.equal(await fs.seek(handle, 2 ** 40 + 1, "hole"), 2 ** 40 + chunkBytes);
    t.equal(await fs.seek(handle, 5, "hole"), 5);
    t.equal(await faultOf(() => fs.seek(handle, 2 ** 52, "data")), "NoData");
  });
  check("punching makes zeros and frees whole chunks", async (t, fs) => {
    const { attributes, handle } = await newFile(fs, rootIno, "a");
    const size = 4 * chunkBytes;
    await write(fs, handle, 0, Buffer.alloc(size, 1));
    const before = (await fs.getattr(attributes.ino)).blocks;
    const range = { offsetBytes: 1000, lengthBytes: 3 * chunkBytes };
    await fs.allocate(handle, range, "punch-hole");
    const expected = Buffer.alloc(size, 1).fill(0, 1000, 1000 + range.lengthBytes);
    t.ok((await readFile(fs, attributes.ino)).equals(expected));
    const after = (await fs.getattr(attributes.ino)).blocks;
    t.equal(before - after, (2 * chunkBytes) / 512);
    await fs.allocate(handle, { offsetBytes: size, lengthBytes: 10 }, "keep-size");
    t.equal((await fs.getattr(attributes.ino)).sizeBytes, size);
    await fs.allocate(handle, { offsetBytes: size, lengthBytes: 10 }, "extend");
    t.equal((await fs.getattr(attributes.ino)).sizeBytes, size + 10);
  });
  check("copies share chunks and are independent afterwards", async (t, fs) => {
    const from = await newFile(fs, rootIno, "from");
    const to = await newFile(fs, rootIno, "to");
    const bytes = Buffer.alloc(2 * chunkBytes + 500, 3);
    await write(fs, from.handle, 0, bytes);
    const range = { offsetBytes: 0, lengthBytes: bytes.length + 100 };
    t.equal(await fs.copyRange(from.handle, range, to.handle, 0), bytes.length);
    await write(fs, from.handle, 0, "changed");
    t.ok((await readFile(fs, to.attributes.ino)).equals(bytes));
  });
}

function testAttributes(check: Check): void {
  check("times are kept to the nanosecond, and ctime moves with every change", async (t, fs) => {
    const { ino } = (await newFile(fs, rootIno, "a")).attributes;
    const time = { seconds: -5, nanoseconds: 123_456_789 };
    const seen = await fs.setattr(root, ino, { mtime: time, atime: { seconds: 1, nanoseconds: 2 } });
    t.strictSame(seen.mtime, time);
    t.strictSame(seen.atime, { seconds: 1, nanoseconds: 2 });
    const next = await fs.setattr(root, ino, { mode: 0o600, mtime: "now" });
    t.strictSame(next.atime, seen.atime, "omitted");
    t.ok(next.mtime.seconds > 1_000_000_000);
    t.strictSame(next.mtime, next.ctime);
  });
  check("set-user-id bits go with chown, and when the kernel asks", async (t, fs) => {
    const { ino } = (await newFile(fs, rootIno, "a")).attributes;
    await fs.setattr(root, ino, { mode: 0o6755 });
    t.equal((await fs.setattr(root, ino, { uid: 5 })).mode, 0o100755);
    await fs.setattr(root, ino, { mode: 0o6744 });
    t.equal((await fs.setattr(root, ino, { dropPrivileges: true })).mode, 0o102744);
    t.equal((await fs.setattr(root, ino, { uid: 6, mode: 0o4711 })).mode, 0o104711);
    const pipe = await fs.mknod(root, place(rootIno, "pipe"), { mode: 0o016755 });
    t.equal((await fs.setattr(root, pipe.ino, { uid: 5 })).mode, 0o010755, "of special files too");
    const folder = await fs.mkdir(root, place(rootIno, "d"), { mode: 0o755 });
    await fs.setattr(root, folder.ino, { mode: 0o6755 });
    t.equal((await fs.setattr(root, folder.ino, { gid: 5 })).mode, 0o046755, "not of directories");
  });
  check("a set-group-id directory gives its group", async (t, fs) => {
    const { ino } = await fs.mkdir(root, place(rootIno, "d"), { mode: 0o2777 });
    await fs.setattr(root, ino, { mode: 0o2777, gid: 77 });
    const below = await fs.mkdir(user, place(ino, "e"), { mode: 0o755 });
    t.strictSame([below.gid, below.mode], [77, 0o042755]);
    const flags = { ...readWrite, exclusive: true };
    const { attributes } = await fs.create(user, place(ino, "f"), { mode: 0o644 }, flags);
    t.strictSame([attributes.gid, attributes.uid, attributes.mode], [77, 1000, 0o100644]);
  });
}

function testXattrs(check: Check): void {
  check("extended attributes are set, listed, replaced and removed", async (t, fs) => {
    const { ino } = (await newFile(fs, rootIno, "a")).attributes;
    const set = (name: string, value: Buffer, mode: "any" | "create" | "replace") =>
      faultOf(() => fs.setxattr(root, ino, name, value, mode));
    t.equal(await set("user.a", Buffer.from("1"), "replace"), "NoData");
    t.equal(await set("user.a", Buffer.from("1"), "create"), "none");
    t.equal(await set("user.a", Buffer.from("2"), "create"), "Exists");
    t.equal(await set("user.a", Buffer.from("3"), "replace"), "none");
    t.equal(await set("security.big", Buffer.alloc(65_536, 1), "any"), "none");
    t.equal(await set("user.huge", Buffer.alloc(65_537), "any"), "TooLarge");
    t.equal(await set("other.a", Buffer.alloc(1), "any"), "Unsupported");
    t.equal(await set("system.a", Buffer.alloc(1), "any"), "Unsupported");
    await fs.syncAll();
    t.strictSame([...(await fs.listxattr(ino))].sort(), ["security.big", "user.a"]);
    t.equal(Buffer.from(await fs.getxattr(ino, "user.a")).toString(), "3");
    t.equal((await fs.getxattr(ino, "security.big")).length, 65_536);
    await fs.removexattr(root, ino, "user.a");
    t.equal(await faultOf(() => fs.getxattr(ino, "user.a")), "NoData");
    t.equal(await faultOf(() => fs.removexattr(root, ino, "user.a")), "NoData");
  });
  check("an access list and the mode follow each other, and defaults descend", async (t, fs) => {
    const acl = (entries: readonly (readonly [number, number, number])[]) => {
      const bytes = Buffer.alloc(4 + entries.length * 8);
      bytes.writeUInt32LE(2, 0);
      entries.forEach(([tag, permissions, id], index) => {
        bytes.writeUInt16LE(tag, 4 + index * 8);
        bytes.writeUInt16LE(permissions, 6 + index * 8);
        bytes.writeUInt32LE(id, 8 + index * 8);
      });
      return bytes;
    };
    const none = 0xffffffff;
    const bare = (await newFile(fs, rootIno, "bare")).attributes;
    for (const name of ["system.posix_acl_access", "system.posix_acl_default"]) {
      const code = await faultOf(() => fs.removexattr(root, bare.ino, name));
      t.equal(code, "none", `${name}: no list is what was asked for`);
    }
    const list = acl([[1, 7, none], [2, 6, 1000], [4, 5, none], [16, 7, none], [32, 1, none]]);
    const { ino } = await fs.mkdir(root, place(rootIno, "d"), { mode: 0o755 });
    await fs.setxattr(root, ino, "system.posix_acl_access", list, "any");
    t.equal((await fs.getattr(ino)).mode & 0o777, 0o771);
    await fs.setattr(root, ino, { mode: 0o2771 });
    await fs.setxattr(root, ino, "system.posix_acl_access", list, "any");
    t.equal((await fs.getattr(ino)).mode & 0o7777, 0o2771);
    const foreign = { dropSetGid: true };
    await fs.setxattr(root, ino, "system.posix_acl_access", list, "any", foreign);
    t.equal((await fs.getattr(ino)).mode & 0o7777, 0o771, "set-group-id goes with a new list");
    await fs.setattr(root, ino, { mode: 0o740 });
    const after = Buffer.from(await fs.getxattr(ino, "system.posix_acl_access"));
    t.equal(after.readUInt16LE(6 + 3 * 8), 4, "the mask follows chmod");
    await fs.setxattr(root, ino, "system.posix_acl_default", list, "any");
    const below = await fs.mkdir(root, place(ino, "e"), { mode: 0o750 });
    t.equal(below.mode & 0o777, 0o750);
    const names = [...(await fs.listxattr(below.ino))].sort();
    t.strictSame(names, ["system.posix_acl_access", "system.posix_acl_default"]);
  });
}

function testListing(check: Check): void {
  check("a listing goes on where it was, whatever comes and goes meanwhile", async (t, fs) => {
    for (let at = 0; at < 300; at++) await newFile(fs, rootIno, `f${at}`);
    const handle = await fs.opendir(rootIno);
    const seen: string[] = [];
    for (let afterCookie = 0, more = true, round = 0; more; round++) {
      more = false;
      let count = 0;
      await fs.readdir(handle, { afterCookie, plus: false }, (item) => {
        more = count++ >= 10;
        if (more) return false;
        afterCookie = item.cookie;
        seen.push(item.name);
        return true;
      });
      // What was listed may go, and others come; the rest is still listed once each.
      const last = seen.at(-1) as string;
      if (last.startsWith("f")) await fs.unlink(root, place(rootIno, last));
      await newFile(fs, rootIno, `new${round}`);
      if (round % 7 === 0) await fs.syncAll();
    }
    const kept = seen.filter((name) => name.startsWith("f"));
    t.equal(kept.length, 300);
    t.equal(new Set(seen).size, seen.length, "no name twice");
    t.strictSame(seen.slice(0, 2), [".", ".."]);
    await fs.releasedir(handle);
  });
  check("inode numbers are never used twice", async (t, fs) => {
    const seen = new Set<Ino>();
    for (let round = 0; round < 20; round++) {
      const { attributes, handle } = await newFile(fs, rootIno, "again");
      t.notOk(seen.has(attributes.ino));
      seen.add(attributes.ino);
      await fs.release(handle);
      await fs.unlink(root, place(rootIno, "again"));
    }
    t.ok((await fs.statfs()).files >= 1);
  });
}
