/** The commands about this machine's line; see commands.ts. */
import { type CommandSpec, json } from "./spec.ts";

export const trafficCommands = [
  {
    name: "limit",
    operands: "[up RATE | down RATE]",
    operandsMax: 100,
    summary: "show or set how much may go over this machine's line, by the hour",
    details:
      "What is limited is bulk: shards that are sent, kept for others and read, repair and " +
      "moves. Proofs, names and questions are small and never wait. What programs read goes " +
      "before all else; it is held to the limit too, but waits two minutes for its turn at " +
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
] as const satisfies readonly CommandSpec[];
