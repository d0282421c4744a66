/** The commands about public IPFS, where nothing is sealed; see commands.ts. */
import { type CommandSpec, json } from "./spec.ts";

export const ipfsCommands = [
  {
    name: "publish",
    operands: "PATH FILE.car",
    operandsMax: 2,
    summary: "write a file or folder, unencrypted, into a CAR file for any IPFS tool",
    details:
      "PATH is in the drive or anywhere else, and is read by its name, as by a program. The file " +
      "is a CARv1 with one root, which is printed: the CID that `ipfs add -rH --cid-version=1` " +
      "gives (raw leaves, chunks of 256 KiB, large folders in shards). `ipfs dag import " +
      "FILE.car` takes it. Nothing in it is encrypted: whoever has the file reads what is in it. " +
      "Nothing is announced or served: that is for the IPFS node that imports it. Symlinks are " +
      "kept as such; owners, times and extended attributes are not, and sockets, pipes and " +
      "devices are left out. A name that is not UTF-8 is refused. FILE.car has its name once it " +
      "is whole, and must not lie in what is published.",
    options: [
      { name: "force", summary: "replace FILE.car if it is there" },
      {
        name: "modes",
        summary: "keep the permission bits of files; their CIDs are others than without",
      },
      json,
    ],
  },
  {
    name: "import",
    operands: "FILE.car",
    operandsMax: 1,
    summary: "make a file or folder of what a CAR file has",
    details:
      "What the root of FILE.car stands for is put at PATH, in the drive or anywhere else, where " +
      "nothing must be yet. Each block is checked by its hash and each name by what a file may " +
      "be called; a block that is missing or damaged is named, and then PATH is not made (exit " +
      "code 7). Permission bits are those that the file tells, if it does. As the same block may " +
      "be in a file or folder many times, a small CAR file can hold more than any disk: what " +
      "comes of one may take 16 times its size, or 64 MiB, unless --limit says otherwise. " +
      "Nothing is fetched from the network.",
    options: [
      { name: "into", value: "PATH", summary: "where to put it", isNeeded: true },
      { name: "root", value: "CID", summary: "put this block of the file there, not its root" },
      { name: "limit", value: "BYTES", summary: "stop at more than this much (512M, 4G)" },
      json,
    ],
  },
] as const satisfies readonly CommandSpec[];
