/** The real file system with a word before each operation: to write them down, fail one, or die at one. */
import { type FileSystem, nodeFileSystem } from '../../src/store/file-system.ts';

/** `before` is called with each operation's name; what it throws, the operation rejects with. */
export function watchedFiles(
  before: (operation: keyof FileSystem) => void,
  files: FileSystem = nodeFileSystem,
): FileSystem {
  function watched<Arguments extends unknown[], Value>(
    operation: keyof FileSystem,
    action: (...values: Arguments) => Promise<Value>,
  ): (...values: Arguments) => Promise<Value> {
    return async (...values) => {
      before(operation);
      return action(...values);
    };
  }
  return {
    create: watched('create', files.create),
    open: watched('open', files.open),
    openFolder: watched('openFolder', files.openFolder),
    statusOf: watched('statusOf', files.statusOf),
    status: watched('status', files.status),
    read: watched('read', files.read),
    write: watched('write', files.write),
    sync: watched('sync', files.sync),
    close: watched('close', files.close),
    rename: watched('rename', files.rename),
    remove: watched('remove', files.remove),
    makeFolder: watched('makeFolder', files.makeFolder),
    names: (folder) => {
      before('names');
      return files.names(folder);
    },
  };
}

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: put there by a test`), { code });
}
