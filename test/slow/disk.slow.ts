/**
 * A full disk under a real daemon: programs hear ENOSPC, what was synced stays, removing works,
 * and with room all goes on; hive fsck needs none. Needs root. test/slow/disk-others.slow.ts has it
 * filled by others.
 */
import { test } from "tap";
import { until } from "../support/cli.ts";
import { shell, smallDisk } from "../support/small-disk.ts";

test("a drive that fills its disk says ENOSPC, and is emptied by deleting", {
  timeout: 240_000,
}, async (t) => {
  const disk = await smallDisk(t, "full", 64);
  t.teardown(() => disk.end());
  const { machine } = disk;
  const { mount } = machine;
  await machine.must(t, ["mount", mount]);
  const kept = await shell(`cd ${mount} && for n in 1 2 3 4; do dd if=/dev/urandom of=kept$n ` +
    "bs=1M count=3 conv=fsync status=none || exit 1; done; sha256sum kept* > ../sums");
  t.equal(kept.code, 0, kept.error);
  const big = `dd if=/dev/urandom of=${mount}/big bs=1M count=80 conv=fsync`;
  const full = await shell(big, { seconds: 100 });
  t.match(full.error, /No space left on device/);
  t.ok(full.seconds < 90, `and that within ${full.seconds.toFixed(0)} s`);
  t.ok(disk.freeBytes() > 0, "the index has room left");
  t.match((await machine.status()).trouble, /full.*delete files/);
  t.match((await machine.must(t, ["status"])).out, /trouble .*full/);
  t.match((await shell(`df --output=avail ${mount}`)).out, /\n *0\n/);

  const reading = await shell("echo 1 > /proc/sys/vm/drop_caches; " +
    `cd ${mount} && ls > /dev/null && stat big > /dev/null && sha256sum -c ../sums`);
  t.equal(reading.code, 0, reading.error);
  const removed = await shell(`cd ${mount} && rm big kept4 && ls`);
  t.equal(removed.code, 0, removed.error);
  t.equal(removed.out, "kept1\nkept2\nkept3\n");
  await until(async () => (await machine.status()).dirtyBytes < 12 * 1024 * 1024, {
    seconds: 100, what: "what was removed gives its room back",
  });
  t.equal((await machine.status()).trouble, null);
  const again = await shell(`dd if=/dev/urandom of=${mount}/again bs=1M count=15 conv=fsync`);
  t.equal(again.code, 0, again.error);
  const sums = await shell(`cd ${mount} && sed -i /kept4/d ../sums && sha256sum again >> ../sums`);
  t.equal(sums.code, 0, sums.error);

  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", mount]);
  const after = await shell(`cd ${mount} && ls && sha256sum -c ../sums`);
  t.equal(after.code, 0, after.error);
  t.notMatch(after.out, /big|kept4/);
});

test("a store on a disk that has nothing left is looked at, and mended in place", { timeout: 120_000 }, async (t) => {
  const disk = await smallDisk(t, "full-fsck", 64);
  t.teardown(() => disk.end());
  const { machine } = disk;
  await machine.must(t, ["mount", machine.mount]);
  const written = await shell(`cd ${machine.mount} && seq 9999 > numbers && sync numbers`);
  t.equal(written.code, 0, written.error);
  await machine.must(t, ["unmount"]);
  disk.fill(true);
  t.equal(disk.freeBytes(), 0);
  const looked = await machine.must(t, ["fsck"]);
  t.match(looked.out, /1 files.*\nnothing is wrong/);
  t.equal(disk.freeBytes(), 0, "nothing was touched");
  const mended = await machine.must(t, ["fsck", "--repair"]);
  t.equal(mended.out, looked.out);
  disk.fill(false);
  await machine.must(t, ["mount", machine.mount]);
  const read = await shell(`seq 9999 | cmp - ${machine.mount}/numbers`);
  t.equal(read.code, 0, read.error);
});
