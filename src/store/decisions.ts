/** What people decided beside the configuration: denials and releases. */
import type Database from 'better-sqlite3';
import { SeraiError } from '../errors.ts';
import type { Decision } from './catalogue.ts';
import { choiceIn, integerIn, type Row, textIn } from './rows.ts';

/** What names a decision: there is one of a kind about a subject in a repository. */
export type DecisionKey = Pick<Decision, 'kind' | 'repository' | 'subject'>;

/** In the column `repository`. */
const EVERY_REPOSITORY = '';

export class DecisionTable {
  readonly #all: Database.Statement<[], Row>;
  readonly #save: Database.Statement<[Row]>;
  readonly #drop: Database.Statement<[string, string, string]>;

  constructor(database: Database.Database) {
    this.#all = database.prepare('SELECT * FROM decision ORDER BY at, kind, repository, subject');
    this.#save = database.prepare(
      `INSERT OR REPLACE INTO decision (kind, repository, subject, reason, form, at)
       VALUES (@kind, @repository, @subject, @reason, @form, @at)`,
    );
    this.#drop = database.prepare('DELETE FROM decision WHERE kind = ? AND repository = ? AND subject = ?');
  }

  all(): readonly Decision[] {
    return this.#all.all().map(toDecision);
  }

  save(decision: Decision): void {
    this.#save.run({ ...decision, repository: repositoryOf(decision) });
  }

  /** Whether there was one. */
  drop(key: DecisionKey): boolean {
    return this.#drop.run(key.kind, repositoryOf(key), key.subject).changes > 0;
  }
}

function repositoryOf({ kind, repository, subject }: DecisionKey): string {
  if (repository !== EVERY_REPOSITORY) return repository ?? EVERY_REPOSITORY;
  // It would come to hold everywhere.
  throw new SeraiError('internal', `a ${kind} of ${subject} names a repository without a name`);
}

function toDecision(row: Row): Decision {
  const repository = textIn(row, 'repository');
  return {
    kind: choiceIn(row, 'kind', ['denial', 'release']),
    ...(repository === EVERY_REPOSITORY ? {} : { repository }),
    subject: textIn(row, 'subject'),
    reason: textIn(row, 'reason'),
    form: textIn(row, 'form'),
    at: integerIn(row, 'at'),
  };
}
