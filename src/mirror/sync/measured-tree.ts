/** What a served tree has and declares, counted on from what stood where that is known. */
import type { Catalogue, PublishedDeclaration } from '../../store/catalogue.ts';
import { declarationsOf } from '../archives/declarations.ts';
import { bindSigned, type SignedSources } from '../archives/signed-archives.ts';
import type { IndexPlan } from '../index/index-plan.ts';
import type { PieceFiles } from '../index/standing-tree.ts';
import { type Counts, countVersions } from '../report/summary.ts';
import type { LastPublication } from './last-publication.ts';

export interface MeasureInput {
  readonly repository: string;
  readonly catalogue: Pick<Catalogue, 'declaring'>;
  readonly last: LastPublication;
  readonly served: IndexPlan;
  readonly signed: SignedSources;
}

export interface MeasuredTree {
  readonly counts: Counts;
  /** What has to be recorded of what it declares. */
  readonly declared: readonly PublishedDeclaration[];
  /** The pieces that declare it, bound to what is signed. */
  readonly entering: readonly PieceFiles[];
}

export async function measureServed(input: MeasureInput): Promise<MeasuredTree> {
  const { repository, catalogue, last, served, signed } = input;
  const { tree } = served;
  const bind = (piece: PieceFiles): PieceFiles => bindSigned(piece, signed);
  const { summary, lost } = last;
  const base = summary?.heldByPolicy === undefined || lost.size > 0 ? undefined : summary;
  let { entering, leaving }: { entering: readonly PieceFiles[]; leaving: readonly PieceFiles[] } = served;
  if (base === undefined) {
    await tree.loadAll();
    entering = tree.pieces.map(({ key }, index) => ({ key, files: tree.filesIn(index) }));
    leaving = [];
  }
  const { declared, difference } = await declarationsOf({
    ...{ repository, catalogue, tree, entering, leaving, bind },
  });
  const came = countVersions(entering);
  const went = countVersions(leaving);
  return {
    counts: {
      packages: (base?.packages ?? 0) + came.packages - went.packages,
      versions: (base?.versions ?? 0) + came.versions - went.versions,
      archives: (base?.archives ?? 0) + difference,
    },
    declared,
    entering: entering.map(bind),
  };
}
