/** `hive fsck`: checks a drive that is not mounted, says what it found, and mends it if asked. */
import { existsSync } from "node:fs";
import { systemClock } from "../../base/clock.ts";
import type { FsckProblem, FsckReport } from "../../base/damages.ts";
import { HiveError } from "../../base/errors.ts";
import { oneLine } from "../../base/harmless.ts";
import { silentLog } from "../../base/log.ts";
import { type Done, checkDrive } from "../../hive.ts";
import { askStatus } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import { driveConfigOf } from "../home/config.ts";
import type { Home } from "../home/home.ts";
import { hasDrive, hasKeys, obtainPassphrase, readKeys } from "../home/keys.ts";
import { readSettings } from "../home/settings.ts";
import { print, printJson, say, sizeText } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

/** A script that wants more than these has a drive that nobody repairs by hand. */
const problemsInJsonMax = 10_000;
/** Whoever waits wants to see that it goes on. */
const progressEveryMs = 3000;

export async function fsck(home: Home, line: CommandLine): Promise<ExitCode> {
  if (!hasKeys(home)) throw new HiveError("NotFound", "fsck", "there is no drive here");
  await refuseMounted(home);
  const give = (): Promise<Buffer> =>
    obtainPassphrase(line.count("passphrase-fd"), { repeat: false });
  const secrets = await readKeys(home, give);
  if (!hasDrive(secrets)) throw new HiveError("NotFound", "fsck", "this node has no drive");
  const settings = readSettings(home.settingsFile);
  const config = driveConfigOf(home, settings, secrets, { directory: "" });
  const how = { repair: line.flag("repair"), giveUp: line.flag("give-up") };
  const json = line.flag("json");
  const problems: FsckProblem[] = [];
  const report = (problem: FsckProblem): void => {
    if (!json) print(problemText(problem, how.repair));
    else if (problems.length < problemsInJsonMax) problems.push(problem);
  };
  const needs = { log: silentLog, report, progress: teller() };
  const found = await checkDrive(needs, config, how);
  if (json) printJson({ ...found, found: problems });
  else print(summary(found));
  if (!json) for (const words of hints(found)) say(`hint: ${words}`);
  return exitOf(found);
}

/** Whatever is left or lost, a script must hear of it. */
function exitOf({ repaired, problems, losses, left }: FsckReport): ExitCode {
  const wrong = repaired ? losses + left : problems;
  return wrong === 0 ? exitCodes.ok : exitCodes.corrupt;
}

async function refuseMounted(home: Home): Promise<void> {
  if (!existsSync(home.socket)) return;
  const answers = await askStatus(home.socket).then(() => true, () => false);
  if (answers) throw new HiveError("Busy", "fsck", "a daemon has this drive open");
}

function teller(): (done: Done) => void {
  let toldMs = systemClock.monotonicMs();
  return (done) => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - toldMs < progressEveryMs) return;
    toldMs = nowMs;
    say(done.part === "blocks" ? `blocks: ${sizeText(done.bytes)}` : `names: ${done.files} files`);
  };
}

function problemText({ what, path, words, mended }: FsckProblem, repair: boolean): string {
  const mending = repair ? "mended" : "can be mended";
  const place = path === null ? "" : `${path}: `;
  return oneLine(`${what.padEnd(15)}  ${place}${words}  [${mended ? mending : "stays"}]`);
}

function summary(found: FsckReport): string {
  const { blocks, blockBytes, files, directories, problems, losses, left } = found;
  const looked =
    `checked ${blocks} blocks (${sizeText(blockBytes)}), ${files - directories} files and ` +
    `${directories} directories`;
  const mended = problems - left;
  const verdict =
    problems === 0
      ? "nothing is wrong"
      : `${problems} problems: ${mended} ${found.repaired ? "mended" : "can be mended"}, ` +
        `${left} stay; ${losses} of them cost data`;
  return `${looked}\n${verdict}`;
}

function hints({ repaired, problems, losses, left, elsewhere, givenUp }: FsckReport): string[] {
  const found: string[] = [];
  if (!repaired && problems > left) found.push("hive fsck --repair mends what can be mended");
  if (losses > 0) {
    found.push("what was published before may be whole with the peers: hive recover, elsewhere; " +
      "or hive mount here, once the folder of the local store was moved away");
  }
  if (left > 0) {
    found.push("blocks neither here nor in the books may come back with the books of a backup; " +
      "hive fsck --repair --give-up goes on without them");
  }
  if (elsewhere > 0) {
    found.push(`${elsewhere} pages are with peers alone, and what they lead to was not checked; ` +
      "hive verify asks the peers");
  }
  if (givenUp > 0) {
    found.push(`${givenUp} files have ranges that a repair gave up: write or delete them`);
  }
  return found;
}
