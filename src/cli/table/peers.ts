/** The commands about other people's machines, and what this one does for them; see commands.ts. */
import {
  type CommandSpec, foreground, json, passphrase, privateNetwork, qr, readsSecret,
} from "./spec.ts";

export const peerCommands = [
  {
    name: "peers",
    operands: "[trust PEER]",
    operandsMax: 2,
    summary: "list the known peers, or vouch for where one is",
    details:
      "Shows of each why it stands as it does, by what it answered and when it was away. Shows " +
      "where it is, and how well that is known: its word (claimed), its address " +
      "(geoip), measured round trips (rtt), or your own word (confined). A place that is not " +
      "believed is left out, and what the peer says of itself stands behind it. `trust` takes " +
      "your word for where a peer is, above all that is measured; without --location it takes " +
      "it back.",
    options: [
      { name: "location", value: "COUNTRY", summary: "two capital letters (ISO 3166)" },
      json,
    ],
  },
  {
    name: "invite",
    operands: "",
    operandsMax: 0,
    summary: "print an invite for a friend's machine",
    details:
      "It holds this node's addresses and key, nothing secret of the drive, and can be used for " +
      "a week, by anybody who has it: whoever joins by it counts as a friend. On a terminal it " +
      "is shown as a QR code too. With --network-key it also holds the key of a private network, " +
      "and is a secret: whoever has it is in that network. An invite that begins with `hive3` " +
      "is one.",
    options: [
      { name: "network-key", summary: "put the private network's key into it" },
      qr,
      json,
    ],
  },
  {
    name: "join",
    operands: "INVITE|-",
    operandsMax: 1,
    summary: "connect to the machine that made an invite, and remember it",
    details:
      "Its user counts as a friend from then on. An invite with the key of a private network is " +
      `taken up at the next start of this machine's daemon. ${readsSecret("invite")}`,
    options: [],
  },
  {
    name: "policy",
    operands:
      "[check FILE | list | show NAME|PATH | explain NAME|PATH [PEER] | use|set [NAME] " +
      "| set NAME PATH | set --inherit PATH]",
    operandsMax: 3,
    summary: "look at the rules for where data may be kept, or choose them",
    details:
      "Policies are files in the folder of policies, in the language of hive-policy(5). `check` " +
      "reads one and prints what it comes to, or where it is wrong; `show` does so by its name, " +
      "and says how much data is still on its way to where it belongs. `explain` counts how many " +
      "of the peers that are known now each clause leaves, and says of a PEER why it is chosen " +
      "or not; it ends with 5 when there are too few. `use` or `set` makes it the policy of this " +
      "drive, and without a NAME the built-in one; a policy that too few peers satisfy is " +
      "refused, unless it says `unsatisfiable queue`, and one that comes to that later takes " +
      "nothing more (ENOSPC). A mounted drive goes by it at once, and by " +
      "a file that is edited within a second; what lies against it is moved. With a PATH, `set` " +
      "gives a folder of the drive a policy of its own, which holds for all below it, down to " +
      "folders that have one; with --inherit the folder goes by the one above it again. With a " +
      "PATH, which has a slash in it, `show` and `explain` tell which policy holds there, and " +
      "which folder says so.",
    options: [
      { name: "inherit", summary: "with set: go by the policy of the folder above" },
      json,
    ],
  },
  {
    name: "ledger",
    operands: "",
    operandsMax: 0,
    summary: "who owes whom: what peers keep for each other, and what follows",
    details:
      "One line for each peer, whom we owe most first: how much it keeps for us and we for it, " +
      "on average of late and by proofs alone; GB hours since the beginning; the balance; how " +
      "much it could have here by all the debts that are known; and what follows, which is " +
      "nothing among friends. hive(7) tells how it is counted.",
    options: [json],
  },
  {
    name: "node",
    operands: "",
    operandsMax: 0,
    summary: "be a peer without a mount",
    details:
      "Keeps shards for others until `hive unmount` or SIGTERM ends it. `hive status` tells how " +
      "many. A mounted drive does so, too: where one is wanted later, `hive mount` makes it, and " +
      "this machine stays the same peer.",
    options: [foreground, privateNetwork, passphrase],
  },
  {
    name: "quota",
    operands: "[BYTES]",
    operandsMax: 1,
    summary: "show or set how much of this machine's disk is for others",
    details:
      "It holds at once, and after a restart. What lies here beyond it, or beyond what the disk " +
      "has room for (1 GiB is left to you, of a small disk a twentieth), goes elsewhere as by " +
      "`hive leave`, whole groups of an owner's at a time, the least endangered first; nothing " +
      "is dropped before somebody else has it.",
    options: [json],
  },
  {
    name: "leave",
    operands: "",
    operandsMax: 0,
    summary: "give up what this node keeps for others, and wait until it is with somebody else",
    details:
      "Nothing more is taken in, and the owners of what is here, and other holders, are told. " +
      "Each shard is copied from this node to who has its seat from then on, and dropped here " +
      "once that one has it. Where no machine of an owner's is there, the other holders do it, " +
      "if they are a majority; in a group too small for that, and where nobody is left to take " +
      "a seat, the shard stays and says so. The daemon goes on by itself, over a restart too; " +
      "this waits, tells what is left and for how long, and ends with 0 once nothing is. Then " +
      "the node may be shut down. The drive that is mounted here, and what others keep of it, " +
      "stay as they are.",
    options: [
      { name: "status", summary: "only say how far it is" },
      { name: "cancel", summary: "stay; what has gone stays gone" },
      { name: "timeout", value: "SECONDS", summary: "wait no longer than this" },
      json,
    ],
  },
] as const satisfies readonly CommandSpec[];
