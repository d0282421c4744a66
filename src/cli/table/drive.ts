/** The commands that make a drive, mount it and bring it back; see commands.ts. */
import { type CommandSpec, foreground, passphrase, privateNetwork, sealKeys }
  from "./spec.ts";

export const driveCommands = [
  {
    name: "init",
    operands: "",
    operandsMax: 0,
    summary: "make a new drive and show its 24 words once",
    details:
      "The words are the only way back when every device is lost: write them on paper. The key " +
      "file is kept readable by you alone, or sealed under a passphrase. With --recover the " +
      "words of an existing drive are read from standard input instead of making new ones.",
    options: [
      { name: "recover", summary: "take the 24 words from standard input" },
      sealKeys,
      privateNetwork,
      passphrase,
    ],
  },
  {
    name: "mount",
    operands: "[DIR]",
    operandsMax: 1,
    summary: "mount the drive at DIR (default: ~/Hive)",
    details:
      "Makes the drive first if there is none, once it is known that DIR can be mounted on. Goes " +
      "to the background once the mount answers; the log is then in the state directory. " +
      "SIGTERM, `hive unmount` and `fusermount3 -u` end it cleanly. A mount that a killed daemon " +
      "left behind is cleaned first.",
    options: [
      foreground,
      { name: "options", short: "o", value: "OPTIONS", summary: "mount options, comma-separated" },
      { name: "swarm", value: "N", summary: "start N local peers first and keep the data there" },
      { name: "driver", value: "NAME", summary: "kernel (default on Linux) or fuse-native" },
      passphrase,
      { name: "welcome", summary: "print what to try next", hidden: true },
    ],
  },
  {
    name: "unmount",
    operands: "[DIR]",
    operandsMax: 1,
    summary: "flush to the local store, unmount, and end the daemon",
    details:
      "What peers do not have yet stays in the local store and goes up at the next mount. " +
      "What a killed daemon left at DIR is taken off. With --lazy, programs go on with the files " +
      "that they have open, and the daemon ends with the last of them; until then the drive " +
      "cannot be mounted again.",
    options: [{ name: "lazy", short: "l", summary: "detach now even if files are open" }],
  },
  {
    name: "recover",
    operands: "",
    operandsMax: 0,
    summary: "bring a drive back on an empty machine",
    details:
      "Reads the 24 words from standard input, finds the newest signed head through the given " +
      "peer, and restores all names at once; contents follow when they are read.",
    options: [
      {
        name: "peer", value: "ADDR", isNeeded: true,
        summary: "any peer's address (/ip4/.../tcp/.../p2p/...)",
      },
      sealKeys,
      passphrase,
    ],
  },
] as const satisfies readonly CommandSpec[];
