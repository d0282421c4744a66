/**
 * The user's policies as they are in force, and a watch on their files: what is saved there holds
 * within a second, without a restart. A file that cannot be read changes nothing: the text that it
 * had stays in force, and the fault, with its line and column, is kept for the status.
 */
import { existsSync, mkdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { PolicyTexts } from "../../base/views/policies.ts";
import { watchFiles } from "./file-watch.ts";
import type { Home } from "./home.ts";
import { type PolicyFile, policyFiles, readPolicy } from "./policies.ts";
import { readSettings } from "./settings.ts";

export class PolicyFiles {
  readonly #home: Home;
  /** By path, what each file said when it could last be read. */
  readonly #read = new Map<string, PolicyFile>();
  /** The name of the drive's own, as the settings last told. */
  #driveName: string | undefined;
  #driveText: string | undefined;
  /** What the drive was last told to go by. */
  told = "";

  constructor(home: Home) {
    this.#home = home;
  }

  /** As at the start: a drive must not go by another policy than the one that was chosen. */
  open(): PolicyTexts {
    const texts = this.texts();
    const isFound = this.#driveName === undefined || this.#driveText !== undefined;
    if (isFound) {
      this.told = JSON.stringify(texts);
      return texts;
    }
    throw new HiveError("Invalid", "policy.find", texts.problem ?? "");
  }

  /** What is in force now, by the files as they are now and as they last made sense. */
  texts(): PolicyTexts {
    const problems: string[] = [];
    const attempt = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        if (!isFault(error)) throw error;
        problems.push(error.subject);
      }
    };
    attempt(() => this.#readFiles(attempt));
    attempt(() => {
      this.#driveName = readSettings(this.#home.settingsFile).policy;
    });
    const named = this.#named();
    const text = this.#driveName === undefined ? undefined : named[this.#driveName];
    if (this.#driveName === undefined || text !== undefined) this.#driveText = text;
    else problems.push(`${this.#driveName}: no such policy in ${this.#home.policiesDirectory}`);
    return { drive: this.#driveText, named, problem: problems[0] ?? null };
  }

  /** Of two of one name that in the file which is called so. */
  #named(): Readonly<Record<string, string>> {
    const isUsual = ({ name, file }: PolicyFile) => Number(basename(file) === `${name}.policy`);
    const read = [...this.#read.values()].sort((one, other) => isUsual(one) - isUsual(other));
    return Object.fromEntries(read.map(({ name, text }) => [name, text]));
  }

  #readFiles(attempt: (act: () => void) => void): void {
    const files = policyFiles(this.#home);
    for (const known of this.#read.keys()) if (!files.includes(known)) this.#read.delete(known);
    for (const file of files) attempt(() => void this.#read.set(file, readPolicy(file)));
  }
}

export interface PolicyWatch {
  /** Looks now, for whoever has just changed something. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

export function watchPolicies(
  home: Home, files: PolicyFiles,
  needs: {
    readonly log: Log;
    readonly govern: (texts: PolicyTexts) => Promise<void>;
    /** Told as well, as the settings lie in the same folder. */
    readonly settingsChanged: () => Promise<void>;
  },
): PolicyWatch {
  const folder = dirname(home.settingsFile);
  if (!existsSync(home.policiesDirectory)) mkdirSync(home.policiesDirectory, { mode: 0o700 });
  const reload = async (): Promise<void> => {
    const texts = files.texts();
    const told = JSON.stringify(texts);
    if (told === files.told) return;
    if (texts.problem !== null) needs.log.warn("policy.unread", { problem: texts.problem });
    await needs.govern(texts);
    files.told = told;
    needs.log.info("policy.governs", { policies: Object.keys(texts.named).length });
  };
  const watched = new Set([home.settingsFile, home.policiesDirectory]);
  const isWanted = (path: string): boolean => {
    const isPolicy = dirname(path) === home.policiesDirectory && basename(path).endsWith(".policy");
    return watched.has(path) || isPolicy;
  };
  const looks = [reload, needs.settingsChanged];
  const watcher = watchFiles(folder, { log: needs.log, isWanted, looks });
  return {
    reload,
    close: () => watcher.close(),
  };
}
