/** A string that is to go to another machine, as a picture for its camera, for whoever looks. */
import type { CommandLine } from "../table/parse.ts";

export async function showCode(line: CommandLine, text: string): Promise<void> {
  const isSeen = line.flag("qr") || process.stderr.isTTY;
  if (isSeen) process.stderr.write((await import("./qr.ts")).qrText(text));
}
