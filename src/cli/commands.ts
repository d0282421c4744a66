/**
 * Every command, option and operand, once: the parser, `--help` and hive(1) are made from this
 * table. Summaries are lower case and without a full stop, as Unix tools speak.
 */
import { type CommandSpec, type OptionSpec, json } from "./command-spec.ts";
import { deviceCommand } from "./commands-devices.ts";
import { localCommands } from "./commands-local.ts";
import { pastCommands } from "./commands-past.ts";
import { sharingCommands } from "./commands-sharing.ts";

const passphrase: OptionSpec = {
  name: "passphrase-fd",
  value: "FD",
  summary: "read the passphrase's line from this file descriptor instead of asking",
};
const privateNetwork: OptionSpec = {
  name: "private-network",
  summary: "make the key of a private network: peers without it are not heard",
};
const foreground: OptionSpec = {
  name: "foreground",
  short: "f",
  summary: "stay in the foreground and log to standard error",
};

export const commands: readonly CommandSpec[] = [
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
      { name: "passphrase", summary: "seal the key file under a passphrase (Argon2id)" },
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
      "Makes the drive first if there is none. Goes to the background once the mount answers; " +
      "the log is then in the state directory. SIGTERM, `hive unmount` and `fusermount3 -u` " +
      "end it cleanly. A mount that a killed daemon left behind is cleaned first.",
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
    details: "What peers do not have yet stays in the local store and goes up at the next mount.",
    options: [{ name: "lazy", short: "l", summary: "detach now even if files are open" }],
  },
  {
    name: "status",
    operands: "",
    operandsMax: 0,
    summary: "how safe the drive is now, and when it was last proven",
    details:
      "Tells how many more holders it survives, when it was last proven, in which countries its " +
      "holders are, what is being repaired and for how long, and the same for each policy that " +
      "folders go by. An alert is what somebody has to see to: segments that cannot be read " +
      "(lost), that have fewer shards than repair should leave (endangered), data that too few " +
      "peers are there for (unplaced), seats that nobody can take (unheld), and groups that lie " +
      "against their policy (unlawful). The log is told when one comes and when it is over. With " +
      "--check it ends with 7 when something is lost, and with 5 when there is any other alert. " +
      "The fields of --json stay as they are; others may be added.",
    options: [{ name: "check", summary: "end with 5 or 7 when there is an alert" }, json],
  },
  {
    name: "flush",
    operands: "",
    operandsMax: 0,
    summary: "wait until everything is on peers",
    details: "",
    options: [{ name: "timeout", value: "SECONDS", summary: "give up after this long" }],
  },
  {
    name: "gc",
    operands: "",
    operandsMax: 0,
    summary: "give back the room that deleted files take on peers",
    details:
      "Uploads what is new, looks at all that the drive and its snapshots refer to, and has " +
      "peers drop the rest; what they keep besides is packed anew where less than 60 % of it is " +
      "needed. The daemon does so by itself, every hour at most.",
    options: [{ name: "timeout", value: "SECONDS", summary: "give up after this long" }, json],
  },
  {
    name: "cache",
    operands: "",
    operandsMax: 0,
    summary: "show, limit or empty the local store",
    details: "Data that no peer has yet is never dropped, nor is what is pinned.",
    options: [
      { name: "limit", value: "BYTES", summary: "keep at most this much (512M, 4G)" },
      { name: "drop", summary: "forget everything that peers have" },
      json,
    ],
  },
  ...localCommands,
  {
    name: "limit",
    operands: "[up RATE | down RATE]",
    operandsMax: 100,
    summary: "show or set how much may go over this machine's line, by the hour",
    details:
      "What is limited is bulk: shards that are sent, kept for others and read, repair and " +
      "moves. Proofs, names and questions are small and never wait. What programs read goes " +
      "before all else; it is held to the limit too, but waits eight seconds for its turn at " +
      "most. RATE is `2 MiB/s`, `10 Mbit/s`, `unlimited` or `0`, which lets through nothing but " +
      "what programs read. Others for certain hours, days or both may stand behind it, after " +
      "commas: `2 MiB/s, 22:00-06:00 unlimited, sat-sun 08:00-20:00 512 KiB/s`; the last one " +
      "that fits holds, in this machine's time zone, and hours that begin on a day end with the " +
      "next morning. Peers on this machine and on its local network are not limited. On a link " +
      "that the system says is metered, this machine begins no bulk and serves none, unless " +
      "--metered says otherwise. It all holds at once, and after a restart.",
    options: [
      { name: "lan", value: "ON|OFF", summary: "whether peers on the local network count too" },
      {
        name: "metered", value: "WHAT",
        summary: "on a metered link: pause (the default), ignore, or a RATE for each direction",
      },
      json,
    ],
  },
  {
    name: "pause",
    operands: "",
    operandsMax: 0,
    summary: "begin no uploads, repair or moves for now",
    details:
      "Programs read and write as before: what they write stays in the local store, up to its " +
      "limit. Peers are still served and get their proofs, and nothing that is late by it is " +
      "held against anybody. It lasts over a restart.",
    options: [{ name: "for", value: "TIME", summary: "end it by itself: 30m, 2h, 1h30m, 1d" }],
  },
  {
    name: "resume",
    operands: "",
    operandsMax: 0,
    summary: "end a pause",
    details: "What was on its way goes on where it was.",
    options: [],
  },
  {
    name: "verify",
    operands: "[PATH]",
    operandsMax: 1,
    summary: "check a file, a folder or the whole drive against the peers",
    details:
      "Asks every holder concerned to prove random leaves of its shards. With --deep every " +
      "block is fetched from its holder and its hash compared.",
    options: [{ name: "deep", summary: "fetch and compare every block" }, json],
  },
  {
    name: "fsck",
    operands: "",
    operandsMax: 0,
    summary: "check the drive's local state while it is not mounted, and mend it",
    details:
      "Looks at every record, block, page and name: that the store opens and its journal can be " +
      "made so again, that every block is what its name says, that every name leads to a file, " +
      "links and sizes are right, and that each chunk is here or in the books of what peers " +
      "have. Without --repair nothing is touched, and each problem says what a repair would do. " +
      "With it, damaged blocks that peers have are fetched again later; a range that nobody has " +
      "any more reads as an error (EIO), never as zeros, until it is written anew, and the rest " +
      "of the file stays whole; what has no name gets one in lost+found. The network is not " +
      "asked: that is `hive verify`. Ends with 0 when nothing is wrong, or all was mended " +
      "without loss; with 7 when something is damaged, stays so, or is lost; with 8 while the " +
      "drive is mounted.",
    options: [
      { name: "repair", summary: "mend what can be mended" },
      {
        name: "give-up",
        summary: "count as lost what is neither here nor in the books; with --repair for good",
      },
      json,
      passphrase,
    ],
  },
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
      "refused, unless it says `unsatisfiable queue`. A mounted drive goes by it at once, and by " +
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
    name: "swarm",
    operands: "start|stop|kill|status [PEER...]",
    operandsMax: 100,
    summary: "run real peers on this machine, to try things and disasters",
    details:
      "`start` begins a swarm or starts stopped peers again; `stop` ends peers, `kill` ends them " +
      "without warning (SIGKILL with --processes). PEER is a number as `status` shows it; " +
      "without one, --fraction says how many, and without that it is all.",
    options: [
      { name: "peers", value: "N", summary: "how many peers to start (default: 8)" },
      { name: "fraction", value: "F", summary: "this share of the running peers (0 to 1)" },
      { name: "processes", summary: "one process for each peer" },
      { name: "wipe", summary: "with kill: delete their vaults too" },
      json,
      { name: "host", summary: "be the swarm's process", hidden: true },
    ],
  },
  {
    name: "node",
    operands: "",
    operandsMax: 0,
    summary: "be a peer without a mount",
    details: "Keeps shards for others until `hive unmount` or SIGTERM ends it.",
    options: [foreground, privateNetwork, passphrase],
  },
  ...pastCommands,
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
  {
    name: "web",
    operands: "",
    operandsMax: 0,
    summary: "print the address of the dashboard, a page on this machine",
    details:
      "The address holds a token: only who is given it can look. It shows, and changes nothing.",
    options: [],
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
      { name: "qr", summary: "show the QR code even where there is no terminal" },
      json,
    ],
  },
  {
    name: "join",
    operands: "INVITE",
    operandsMax: 1,
    summary: "connect to the machine that made an invite, and remember it",
    details:
      "Its user counts as a friend from then on. An invite with the key of a private network is " +
      "taken up at the next start of this machine's daemon.",
    options: [],
  },
  deviceCommand,
  ...sharingCommands,
  {
    name: "recover",
    operands: "",
    operandsMax: 0,
    summary: "bring a drive back on an empty machine",
    details:
      "Reads the 24 words from standard input, finds the newest signed head through the given " +
      "peer, and restores all names at once; contents follow when they are read.",
    options: [
      { name: "peer", value: "ADDR", summary: "any peer's address (/ip4/.../tcp/.../p2p/...)" },
      { name: "passphrase", summary: "seal the key file under a passphrase (Argon2id)" },
      passphrase,
    ],
  },
  {
    name: "doctor",
    operands: "",
    operandsMax: 0,
    summary: "what is missing on this machine, and how to mend it",
    details: "",
    options: [json],
  },
];

export function findCommand(name: string): CommandSpec | undefined {
  return commands.find((command) => command.name === name);
}
