/** Somebody else's files as this user has them: nothing of them has power over this machine. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { type Name, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { fileType } from "../../src/dag/inodes.ts";
import { asReader } from "../../src/shared/reader.ts";
import { openTree } from "../../src/tree/tree.ts";
import { faultOf } from "../support/faults.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { at, put } from "../support/shared-folder.ts";
import { nobody } from "../support/walk.ts";

test("neither a program with its owner's rights nor a device is what it was there", async (t) => {
  const needs = { store: new MemoryStore(), clock: systemClock, random: seededRandom("reader"), log: silentLog };
  const tree = await openTree(needs, { treeSecret: Buffer.alloc(32, 1) });
  const ino = await put(tree, "program", "runs as root");
  await tree.setattr(nobody, ino, { mode: 0o6755, uid: 0, gid: 0 });
  for (const name of ["security.capability", "trusted.overlay", "user.color"]) {
    await tree.setxattr(nobody, ino, name, Buffer.from("x"), "any");
  }
  await tree.mknod(nobody, at("disk"), { mode: fileType.block | 0o666, rdev: 2048 });

  const files = asReader(tree, { uid: 7, gid: 8 });
  t.match(await files.lookup(at("program")), { mode: fileType.regular | 0o755, uid: 7, gid: 8 });
  t.match(await files.lookup(at("disk")), { mode: fileType.block | 0o666, rdev: 0 });
  t.strictSame(await files.listxattr(ino), ["user.color"]);
  t.equal(await faultOf(async () => files.getxattr(ino, "security.capability")), "NoData");
  const listed = new Map<Name | "." | "..", number | undefined>();
  const handle = await files.opendir(rootIno);
  await files.readdir(handle, { afterCookie: 2, plus: true }, ({ name, attributes }) => {
    listed.set(name, attributes?.mode);
    return true;
  });
  t.equal(listed.get(parseName("program")), fileType.regular | 0o755);
});
