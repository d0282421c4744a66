/** The words of -o, the mount table, pending signals, and patience: decisions without a mount. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { parseMountinfo } from "../../src/mount/attaching/mounts.ts";
import { parseMountOptions } from "../../src/mount/attaching/options.ts";
import { pendingSignals } from "../../src/mount/session/interrupts.ts";
import { Patience } from "../../src/mount/session/patience.ts";

function refused(text: string): string {
  try {
    parseMountOptions(text);
    return "accepted";
  } catch (error) {
    return isFault(error, "Usage") ? error.subject : "a bug";
  }
}

test("the usual words are understood, later ones winning", (t) => {
  t.strictSame(parseMountOptions(""), {});
  t.strictSame(parseMountOptions("allow_other,ro,nodev,suid,noexec,fsname=my drive"), {
    allowOther: true, readOnly: true, devices: false, setUserId: true, execute: false,
    fsName: "my drive",
  });
  t.strictSame(parseMountOptions("ro,rw,max_read=131072,noatime,default_permissions"), {
    readOnly: false, maxReadBytes: 131072, noAtime: true,
  });
  t.strictSame(parseMountOptions("noatime,relatime"), { noAtime: false });
  t.strictSame(parseMountOptions("defaults,noatime,nodiratime,lazytime"), { noAtime: true });
  t.strictSame(parseMountOptions("x-systemd.automount,_netdev,user,subtype=hive,fsname=a=b"), {
    fsName: "a=b",
  });
  t.end();
});

test("words that are unknown or wrong are refused by name", (t) => {
  for (const word of ["nonsense", "ro=1", "fsname", "fsname=", "max_read=0", "max_read=x",
    "constructor", "__proto__", "ROOT"]) {
    t.equal(refused(`ro,${word}`), `-o ${word}`);
  }
  t.end();
});

test("the mount table is read, with blanks in names", (t) => {
  const text = [
    "23 28 0:21 / /proc rw,relatime shared:13 - proc proc rw",
    "99 28 0:44 / /home/ann/My\\040Hive rw,nosuid,nodev - fuse.hive hi\\134ve rw,user_id=0",
    "half a line", "",
  ].join("\n");
  t.strictSame(parseMountinfo(text), [
    { device: "0:21", type: "proc", directory: "/proc", source: "proc" },
    { device: "0:44", type: "fuse.hive", directory: "/home/ann/My Hive", source: "hi\\ve" },
  ]);
  t.end();
});

test("only signals that ask a program to end let it go", (t) => {
  const status = (own: string, shared: string) =>
    `Name:\tcat\nSigPnd:\t${own}\nShdPnd:\t${shared}\n` +
    "SigBlk:\t00000000ffffffff\nSigCgt:\tffffffffffffffff\n";
  const none = "0000000000000000";
  t.equal(pendingSignals(status(none, none)), false);
  t.equal(pendingSignals(status(none, "0000000000000002")), true, "INT");
  t.equal(pendingSignals(status("0000000000000100", none)), true, "KILL");
  t.equal(pendingSignals(status(none, "0000000000002000")), false, "ALRM");
  t.equal(pendingSignals(status(none, "0000000000010000")), false, "CHLD");
  t.equal(pendingSignals(status("0000000200000000", none)), false, "real-time");
  t.end();
});

test("patience is for those who ask again soon", (t) => {
  const patience = new Patience();
  t.equal(patience.us, 0);
  patience.woke(0);
  t.equal(patience.us, 0, "the first request says nothing about the next");
  patience.sleeps(1);
  patience.woke(1.05);
  t.equal(patience.us, limits.mount.patienceUs);
  patience.sleeps(2);
  patience.woke(900);
  t.equal(patience.us, limits.mount.patienceUs, "once in vain is not enough");
  patience.sleeps(901);
  patience.woke(1800);
  t.equal(patience.us, 0);
  t.end();
});
