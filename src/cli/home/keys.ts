/**
 * The key file on disk, and passphrases from a terminal or a file descriptor. Passphrases and words
 * never stand in argv, in the environment, or in a log.
 */
import { readFileSync, statSync } from "node:fs";
import { ReadStream } from "node:tty";
import { HiveError, isFault } from "../../base/errors.ts";
import { folderFault } from "../../base/machine/directories.ts";
import { systemRandom } from "../../base/random.ts";
import { type Secrets, encodeKeyFile, keyFileNeedsPassphrase, openKeyFile } from "../../hive.ts";
import type { Home } from "./home.ts";
import { lineBytesMax, readLine } from "./secret-line.ts";
import { writeWhole } from "./whole-file.ts";

/** Denied where this user may not even look. */
export function hasKeys(home: Home): boolean {
  return statSync(home.keyFile, { throwIfNoEntry: false }) !== undefined;
}

/** By its words, or by what an added device was given. */
export function hasDrive({ driveSeed, device }: Secrets): boolean {
  return driveSeed !== undefined || device !== undefined;
}

/** What is under a passphrase is a drive's: a peer without one has nothing to seal. */
export async function hasDriveHere(home: Home): Promise<boolean> {
  return hasKeys(home) && (needsPassphrase(home) || hasDrive(await readBare(home)));
}

/** For a new drive: a peer that is to have one stays who it is, with all that it keeps. */
export async function peerSeedHere(home: Home): Promise<Buffer> {
  if (await hasDriveHere(home)) throw new HiveError("Exists", "keys", home.keyFile);
  return hasKeys(home) ? (await readBare(home)).peerSeed : systemRandom.bytes(32);
}

function readBare(home: Home): Promise<Secrets> {
  return openKeyFile(bytesOf(home), undefined);
}

/** Writes the key file durably and whole; refuses to replace another drive's. */
export async function writeKeys(
  home: Home, secrets: Secrets, passphrase: Buffer | undefined,
): Promise<void> {
  if (await hasDriveHere(home)) throw new HiveError("Exists", "keys.write", home.keyFile);
  writeWhole(home.keyFile, await encodeKeyFile(secrets, passphrase, systemRandom));
}

/** Reads the secrets; asks for the passphrase only when the file is under one. */
export async function readKeys(
  home: Home,
  givePassphrase: () => Promise<Buffer>,
): Promise<Secrets> {
  const isSealed = needsPassphrase(home);
  const passphrase = isSealed ? await givePassphrase() : undefined;
  return openKeyFile(bytesOf(home), passphrase);
}

export function needsPassphrase(home: Home): boolean {
  try {
    return keyFileNeedsPassphrase(bytesOf(home));
  } catch (cause) {
    if (!isFault(cause, "Corrupt")) throw cause;
    throw new HiveError("Corrupt", cause.op, `${home.keyFile}: ${cause.subject}`, { cause });
  }
}

function bytesOf({ keyFile }: Home): Buffer {
  try {
    return readFileSync(keyFile);
  } catch (cause) {
    throw folderFault(cause, "keys.read", keyFile);
  }
}

/** From the descriptor when one is named, else from the terminal without echo. */
export async function obtainPassphrase(
  descriptor: number | undefined,
  options: { readonly repeat: boolean },
): Promise<Buffer> {
  if (descriptor !== undefined) return passphraseAt(descriptor);
  const first = await askHidden("passphrase: ");
  if (!options.repeat) return first;
  const second = await askHidden("the same again: ");
  if (first.equals(second)) return first;
  throw new HiveError("Usage", "passphrase", "the two differ");
}

function passphraseAt(descriptor: number): Buffer {
  const from = `--passphrase-fd ${descriptor}`;
  const passphrase = readLine(descriptor, { command: "passphrase", from });
  if (passphrase.length === 0) throw new HiveError("Usage", "passphrase", "it is empty");
  return passphrase;
}

/** Enter, however it comes, and Ctrl-D. */
const lineEnds: readonly number[] = [13, 10, 4];
const controlC = 3;

function askHidden(prompt: string): Promise<Buffer> {
  if (!process.stdin.isTTY) {
    throw new HiveError("Usage", "passphrase", "no terminal to ask on: use --passphrase-fd");
  }
  const terminal = new ReadStream(0);
  // Before anybody is asked: what is typed ahead would be seen.
  terminal.setRawMode(true);
  process.stderr.write(prompt);
  return new Promise((resolve) => {
    const typed: number[] = [];
    const finish = (act: () => void): void => {
      terminal.setRawMode(false);
      terminal.destroy();
      process.stderr.write("\n");
      act();
    };
    terminal.on("data", (bytes: Buffer) => {
      for (const byte of bytes) {
        if (lineEnds.includes(byte)) return finish(() => resolve(Buffer.from(typed)));
        // As the terminal does it, which leaves that to us now.
        if (byte === controlC) return finish(() => void process.kill(process.pid, "SIGINT"));
        if (byte === 127) typed.pop();
        else if (typed.length < lineBytesMax) typed.push(byte);
      }
    });
  });
}
