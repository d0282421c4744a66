/** The commands about how safe a drive is, here and with its peers; see commands.ts. */
import { type CommandSpec, json, passphrase } from "./spec.ts";

export const safetyCommands = [
  {
    name: "status",
    operands: "",
    operandsMax: 0,
    summary: "how safe the drive is now, and when it was last proven",
    details:
      "Tells how many more holders it survives, when it was last proven, in which countries its " +
      "holders are, what is being repaired and for how long, and the same for each policy that " +
      "folders go by. An alert is what somebody has to see to: segments that cannot be read " +
      "(lost), that have fewer shards than repair should leave (endangered), books of what peers " +
      "have that were damaged, so that nothing is given back for now (doubted), a policy under " +
      "which nothing more is taken, as it refuses and too few known peers satisfy it (refused), " +
      "data that too few peers are there for (unplaced), seats that nobody can take (unheld), " +
      "groups that lie against their policy (unlawful), and that this device was shut out " +
      "(removed). The log is told when one comes and when it is over. With " +
      "--check it ends with 7 when something is lost, and with 5 when there is any other alert. " +
      "Of a peer without a mount it tells what that keeps for others.",
    options: [{ name: "check", summary: "end with 5 or 7 when there is an alert" }, json],
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
    name: "flush",
    operands: "",
    operandsMax: 0,
    summary: "wait until everything is on peers",
    details:
      "What was written over a part of something that only peers have, and none of them gives, " +
      "does not go up: with it this ends with 5, once all else is there, and names the file.",
    options: [{ name: "timeout", value: "SECONDS", summary: "give up after this long" }],
  },
  {
    name: "verify",
    operands: "[PATH]",
    operandsMax: 1,
    summary: "check a file, a folder or the whole drive against the peers",
    details:
      "Asks every holder to prove a random leaf of each of its shards, with --deep many. With a " +
      "PATH it asks for the shards alone in which that file or folder lies, with the names " +
      "and folders that lead there; what is not with peers yet is told, and is no loss. Ends " +
      "with 7 when too few holders of something prove it. With --of it goes through the " +
      "groups that keep a folder of somebody else's, which you may verify or read, and brings " +
      "back what holders have lost: no key is needed for that. What you may only verify is " +
      "gone through by itself twice a day.",
    options: [
      { name: "deep", summary: "ask for many leaves of each shard" },
      { name: "of", value: "NAME", summary: "somebody else's folder, as hive shares calls it" },
      json,
    ],
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
      "have. Without --repair nothing is touched, and each problem says what a repair would do; " +
      "what is written meanwhile is copied first, beside it or, on a disk that is all but full, " +
      "into the folder of temporary files ($TMPDIR). With it, damaged blocks that peers have " +
      "are fetched again later; a range that nobody has any more reads as an error (EIO), never " +
      "as zeros, until it is written anew, and the rest of the file stays whole; what has no " +
      "name gets one in lost+found. Books of what peers have that were damaged are learned " +
      "again by the next mount; where hive status says that this waits for what nobody gives, " +
      "--repair --give-up has them begun anew: the next mount reads all that peers have, as " +
      "hive recover does, and uploads what it misses there; what neither this machine nor any " +
      "peer has reads as an error then. The network is not asked: that is `hive verify`. Ends " +
      "with 0 when nothing is wrong, or all was mended without loss; with 7 when something is " +
      "damaged, stays so, or is lost; with 8 while the drive is mounted.",
    options: [
      { name: "repair", summary: "mend what can be mended" },
      {
        name: "give-up",
        summary: "count as lost what is neither here nor in the books, with --repair for good; " +
          "or do without what no peer tells of books that were damaged",
      },
      json,
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
] as const satisfies readonly CommandSpec[];
