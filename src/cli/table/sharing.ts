/** The commands about people and shared folders, for the table of all commands. */
import { type CommandSpec, json, passphrase, qr, readsSecret } from "./spec.ts";

export const sharingCommands = [
  {
    name: "contacts",
    operands: "[me | add NAME STRING | remove NAME | group [NAME [add | remove PERSON...]]]",
    operandsMax: 35,
    summary: "people and groups by the names that you give them, and your own string for others",
    details:
      "`me` prints who you are as a string, which lets nobody read anything; on a terminal as a " +
      "QR code too. `add` takes that of somebody else: make sure that it is hers, as whatever " +
      "you share with that name is sealed to it. Her machine must answer at that moment, for a " +
      "key that does not fit the string, and is checked by it. Contacts are the " +
      "drive's: every device knows them, and so does who recovers it; they are changed on one " +
      "that has the words. `remove` takes nobody with whom a folder is shared, nor who is in a " +
      "group. " +
      "`group` lists groups of contacts; `group NAME add` puts people into one, which it makes " +
      "if there is none, and prints a string for each: with that she takes up once whatever your " +
      "groups are given, now and later. What is shared with a group is hers from then on, until " +
      "`group NAME remove`, which ends it as `revoke` does, but for what you share with her " +
      "otherwise. Nobody is told what your groups are called.",
    options: [
      qr,
      json,
    ],
  },
  {
    name: "share",
    operands: "PATH",
    operandsMax: 1,
    summary: "let somebody read a folder, or write it, or look after it",
    details:
      "Prints a string for that person, which is of no use to anybody else: no content is moved, " +
      "and no key of yours is given away but those of this folder. She sees it as it is, all " +
      "below it, and whatever changes in it, within seconds while both are online, and whether " +
      "this machine is on or not. Files of several names are not among it. With --write what she " +
      "does in it becomes part of this drive, under its policies, whether both are online or " +
      "not; of two edits of one file both stay. With a group it prints nothing: whoever is in it " +
      "has the folder among those of your groups. With --verify she cannot read any of it, nor " +
      "even its names: her machine asks holders for proofs of it, and brings back what they " +
      "lost, whether yours is on or not; whoever may read it may do that, too. hive(7) says what " +
      "a reader learns besides, and what holders do.",
    options: [
      {
        name: "with", value: "PERSON", isNeeded: true,
        summary: "one of your contacts, or of your groups",
      },
      { name: "write", summary: "for writing too, and not for reading alone" },
      { name: "verify", summary: "for checking and mending what holders keep of it alone" },
      { name: "expires", value: "TIME", summary: "for so long: 90m, 12h, 30d" },
      qr,
    ],
  },
  {
    name: "link",
    operands: "PATH",
    operandsMax: 1,
    summary: "make a link by which whoever has it can read a folder",
    details:
      "As `share`, to somebody who is nobody in particular: what it takes to be that person " +
      "stands in the link, sealed under a passphrase if one is asked for. `hive shares` shows it " +
      "by a name such as `link 3fa2b1c0`, by which `hive revoke` ends it for all who took it up.",
    options: [
      { name: "expires", value: "TIME", summary: "for so long: 90m, 12h, 30d" },
      { name: "passphrase", summary: "ask for a passphrase, which whoever takes it up needs too" },
      passphrase,
      qr,
    ],
  },
  {
    name: "shares",
    operands: "[forget NAME]",
    operandsMax: 2,
    summary: "list what you share, and what is shared with you",
    details:
      "Of a folder of yours it tells who may read it, and through which group, and how many of " +
      "the drive's holders know the newest state; of one of somebody else's, of when the state " +
      "is that you see. `forget` takes one of the latter out of Shared; with the name of " +
      "somebody whose groups you are in, all that come through them. Of those who were shut out " +
      "it tells whether what was there is sealed anew, how many holders confirmed that the old " +
      "copies are gone, and which did not.",
    options: [json],
  },
  {
    name: "accept",
    operands: "STRING|- [NAME]",
    operandsMax: 2,
    summary: "take up a folder that somebody shares with you, or for which you have a link",
    details:
      "It appears as Shared/NAME in the drive, for reading or for writing, as its owner said; " +
      "without a NAME under the one that he gave it. It takes no room but what is read and " +
      "written, and needs its owner's machine never. What may be written may be so on each " +
      "device of yours that has the 24 words, on eight at most; a new one is heard once the " +
      "owner's machine knows of it. With " +
      "the string of somebody who put you into a group, all that his groups are given comes and " +
      "goes by itself, under his names. " +
      "What you may verify alone is not seen in the drive: `hive verify --of NAME` checks it. " +
      "A device that was let in by a code takes nothing up itself, and reads what one that has " +
      "the words took up. " +
      `${readsSecret("string")} With --passphrase-fd 0 a link's passphrase is the line after it.`,
    options: [passphrase],
  },
  {
    name: "revoke",
    operands: "PATH",
    operandsMax: 1,
    summary: "end somebody's reading and writing of a folder",
    details:
      "Holders refuse that person from the moment they hear of it: those that answer within five " +
      "seconds, the others as soon as they do. What is written from then on is under keys that " +
      "she never had, and nothing that she writes from then on comes in. What is there already " +
      "is sealed anew in the background, before anything that policies move, and goes on after " +
      "a restart; then holders are told to delete the old " +
      "copies, and each signs that it did. `hive status` and `hive shares` tell how far it is. " +
      "Snapshots from before keep the folder under the keys that she was given, and no new ones " +
      "reach them: --drop-snapshots lets go of all that have something of it, with whatever else " +
      "is in them, once all is sealed anew. " +
      "Where she still reads it, through a group or a folder that holds it, that is said. " +
      "What she has read or copied cannot be taken back; hive(7) says what else cannot.",
    options: [
      {
        name: "from", value: "PERSON", isNeeded: true,
        summary: "a contact, a group, or who has no name, by her key as hive shares shows it",
      },
      { name: "drop-snapshots", summary: "let go of snapshots that have something of it" },
    ],
  },
] as const satisfies readonly CommandSpec[];
