/** The command about the drive's devices; see commands.ts. */
import { limits } from "../base/limits.ts";
import { type CommandSpec, json } from "./command-spec.ts";

export const deviceCommand = {
  name: "device",
  operands: "list | forget PEER",
  operandsMax: 2,
  summary: "the devices that have this drive, and one of them that is gone",
  details:
    "`list` shows this device and those whose heads came here: when the last one was, whether " +
    "it is merged, whether the device is online, and whether nothing is given back on peers for " +
    "its sake. `forget` says that a machine is gone for good. Nothing waits for it any more, and " +
    "what it published and only it refers to may be given back from then on. PEER is its id, or " +
    `a beginning of ${limits.devices.beginningCharsMin} characters or more that no other ` +
    "device's has. Should it publish again, that is merged as ever, and it counts again; what " +
    "was given back by then is lost. It is said to this device alone: tell the others too. It " +
    "is no revocation: whoever has that machine still has the drive's keys, reads all of the " +
    "drive, and may write into it.",
  options: [json],
} as const satisfies CommandSpec;
