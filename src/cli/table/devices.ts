/** The command about the drive's devices; see commands.ts. */
import { limits } from "../../base/limits.ts";
import { type CommandSpec, json, passphrase, readsSecret, sealKeys } from "./spec.ts";

export const deviceCommand = {
  name: "device",
  operands: "list | add | confirm CODE|- | remove DEVICE | forget PEER",
  operandsMax: 2,
  summary: "the devices that have this drive, one more, and one that is shut out or gone",
  details:
    "`add`, on a machine that has no drive, prints a code of twelve characters and waits; " +
    "`confirm`, with that code, on a device that has the drive's words and has it mounted, lets " +
    "that machine in. It must be reachable: by --peer, an address of a peer that both know, or " +
    "of the other device; on a local network without it. The new device gets what it takes to " +
    "mount the drive and a key of its own that the drive's key certifies, and never the words: " +
    "it adds no other device, shares no folders, and of others' reads what your devices with the " +
    "words took up. The code is good for one device and ten minutes, and three wrong tries end " +
    `it; nobody between the two can take its place. ${readsSecret("code")} ` +
    "The other way to have the drive on a machine is hive recover, with the words. " +
    "`remove`, on a device that has the words, shuts a lost one out, by its name or id: holders " +
    "and the other devices take nothing of it any more from the moment that they hear of it, " +
    "and give it nothing; what is written from then on is under secrets that it never had. What " +
    "it read or fetched cannot be taken back. Once it hears of that its mount is read-only, and " +
    "what peers lack of it stays there: `hive mount -o ro` reads it. A device that has the words " +
    "can only be shut out as long as nobody uses these again: then a new drive is the way. " +
    "`list` shows this device and those whose heads came here: when the last one was, whether " +
    "it is merged, whether the device is online, and whether nothing is given back on peers for " +
    "its sake. `forget` says that a machine is gone for good. Nothing waits for it any more, and " +
    "what it published and only it refers to may be given back from then on. PEER is its id, or " +
    `a beginning of ${limits.devices.beginningCharsMin} characters or more that no other ` +
    "device's has. Should it publish again, that is merged as ever, and it counts again; what " +
    "was given back by then is lost. It is said to this device alone: tell the others too. It " +
    "shuts nobody out.",
  options: [
    json,
    {
      name: "peer", value: "ADDR",
      summary: "`add`: a peer to begin with, as a multiaddr with its /p2p/ part",
    },
    sealKeys,
    passphrase,
  ],
} as const satisfies CommandSpec;
