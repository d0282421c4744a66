/** What to do next: told for the faults that somebody can do something about, and for no other. */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { hintOf } from "../../src/cli/hints.ts";

test("the first hint that fits a fault's op, kind and command is told", (t) => {
  const hint = (...[kind, op, command]: readonly [HiveError["kind"], string, string?]) =>
    hintOf(new HiveError(kind, op, "x"), command);
  t.match(hint("Unavailable", "control.connect", "flush"), /hive mount$/);
  t.match(hint("Unavailable", "control.connect", "swarm"), /hive swarm start$/);
  t.match(hint("Busy", "mount.unmount", "unmount"), /--lazy/);
  t.match(hint("Busy", "mount", "mount"), /hive unmount/);
  t.match(hint("Unsupported", "mount.fuse-native", "mount"), /libfuse2$/);
  t.match(hint("NoSpace", "cache.write"), /free some of that disk/);
  t.match(hint("NoSpace", "cache.put"), /let peers join/, "what fills it is the drive's own");
  t.match(hint("NoSpace", "fsck.open", "fsck"), /free some of that disk/);
  t.match(hint("Invalid", "sharing.grant", "accept"), /hive share or hive link prints it/);
  t.match(hint("NotFound", "device.which", "device"), /hive device list/);
  t.match(hint("Corrupt", "dag.page"), /hive fsck/);
  t.match(hint("Unsupported", "cache.format", "mount"), /later version/);
  t.equal(hint("Usage", "words.parse", "recover"), "see hive recover --help");
  t.equal(hint("Usage", "hive"), "see hive --help");
  t.equal(hint("Corrupt", "peers.frame"), undefined, "there is nothing to be done");
  t.equal(hint("Busy", "mountain"), undefined, "an op is a whole word");
  t.end();
});
