/**
 * The folders that the bench works in: Hive, ext4 on the same disk, and whichever other encrypted
 * or remote file systems this machine has installed, each over a folder of the same disk.
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Machine, run } from "../../test/support/cli.ts";

export interface Place {
  readonly name: string;
  readonly directory: string;
}

interface Peer {
  readonly name: string;
  /** Commands of the shell with the folders in CIPHER and PLAIN; all must succeed. */
  readonly commands: readonly string[];
}

const peers: readonly Peer[] = [
  {
    name: "gocryptfs",
    commands: [
      "gocryptfs -q -extpass echo -extpass bench -init CIPHER",
      "gocryptfs -q -extpass echo -extpass bench CIPHER PLAIN",
    ],
  },
  {
    name: "securefs",
    commands: [
      "securefs create --pass bench CIPHER",
      "securefs mount -b --pass bench --log CIPHER.log CIPHER PLAIN",
    ],
  },
  {
    name: "cryfs",
    commands: ["echo bench | CRYFS_FRONTEND=noninteractive CRYFS_NO_UPDATE_CHECK=true " +
      "CRYFS_LOCAL_STATE_DIR=CIPHER.state cryfs CIPHER PLAIN"],
  },
  { name: "encfs", commands: ["encfs --standard --extpass='echo bench' CIPHER PLAIN"] },
  {
    name: "rclone",
    commands: ["RCLONE_CONFIG=/dev/null RCLONE_CONFIG_B_TYPE=crypt RCLONE_CONFIG_B_REMOTE=CIPHER " +
      "RCLONE_CONFIG_B_PASSWORD=$(rclone obscure bench) " +
      "rclone mount --daemon --cache-dir CIPHER.cache --vfs-cache-mode writes B: PLAIN"],
  },
  {
    name: "sshfs",
    commands: ["test -x /usr/lib/openssh/sftp-server", "sshfs -o ssh_command=SERVER b:CIPHER PLAIN"],
  },
];

export async function openPlaces(
  machine: Machine, wanted: (name: string) => boolean,
): Promise<readonly Place[]> {
  const ran = await machine.hive(["mount", machine.mount, "--swarm", "8"]);
  if (ran.code !== 0) throw new Error(ran.error);
  const ext4 = join(machine.directory, "ext4");
  mkdirSync(ext4);
  const places = [{ name: "hive", directory: machine.mount }, { name: "ext4", directory: ext4 }];
  for (const peer of peers.filter(({ name }) => wanted(name))) {
    const place = await openPeer(machine.directory, peer);
    if (place !== undefined) places.push(place);
  }
  return places;
}

export async function closePlaces(places: readonly Place[]): Promise<void> {
  for (const { name, directory } of places) {
    if (name !== "hive" && name !== "ext4") await run("umount", ["-l", directory], {});
  }
}

/** Undefined where it is not installed: the table has a column less. */
async function openPeer(directory: string, { name, commands }: Peer): Promise<Place | undefined> {
  const cipher = join(directory, `${name}-cipher`);
  const plain = join(directory, name);
  for (const made of [cipher, plain]) mkdirSync(made);
  const words = { CIPHER: cipher, PLAIN: plain, SERVER: sftpServer(directory) };
  for (const command of commands) {
    const line = command.replace(/CIPHER|PLAIN|SERVER/g, (word) => words[word as "CIPHER"]);
    const ran = await run("sh", ["-c", `${line} > ${plain}.log 2>&1`], {});
    if (ran.code !== 0) return undefined;
  }
  const mounted = await run("mountpoint", ["-q", plain], {});
  return mounted.code === 0 ? { name, directory: plain } : undefined;
}

/** sshfs without a network: it believes that this is ssh. */
function sftpServer(directory: string): string {
  const script = join(directory, "sftp.sh");
  writeFileSync(script, "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n");
  chmodSync(script, 0o755);
  return script;
}
