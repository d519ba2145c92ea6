import { describe, expect, it } from 'vitest';
import { Lexer } from '../../src/opam/lexer.ts';
import { parseFile, parseValue, shapeOf, shapeOfItems } from '../support/opam-shapes.ts';

/** All tokens as `kind text`; of the kinds that are their own text, the kind alone. */
function tokensOf(source: string): readonly string[] {
  const lexer = new Lexer(source);
  const tokens: string[] = [];
  for (lexer.next(); lexer.kind !== 'end'; lexer.next()) {
    tokens.push(lexer.text === lexer.kind ? lexer.kind : `${lexer.kind} ${lexer.text}`);
  }
  return tokens;
}

describe('tokens', () => {
  it.each([
    ['', []],
    [' \t\r\n\n', []],
    ['{}[]()&|?:', ['{', '}', '[', ']', '(', ')', '&', '|', '?', ':']],
    ['! !=', ['!', 'relation !=']],
    ['!!=', ['!', 'relation !=']],
    ['!==', ['relation !=', 'relation =']],
    ['= < <= > >= ~', ['relation =', 'relation <', 'relation <=', 'relation >', 'relation >=', 'relation ~']],
    ['=<=>', ['relation =', 'relation <=', 'relation >']],
    ['~=', ['relation ~', 'relation =']],
    [
      '+= =+ =+= := =:',
      ['environment +=', 'environment =+', 'environment =+=', 'environment :=', 'environment =:'],
    ],
    ['=+=+=', ['environment =+=', 'environment +=']],
    ['a:="b"', ['ident a', 'environment :=', 'string b']],
    ['a="b"', ['ident a', 'relation =', 'string b']],
    ['>="1"', ['relation >=', 'string 1']],
  ])('%j', (source, tokens) => {
    expect(tokensOf(source)).toEqual(tokens);
  });

  it('says where each token begins and ends', () => {
    const lexer = new Lexer(' ab "c\\n" (* d *) >=');
    const spans: (readonly [number, number])[] = [];
    for (lexer.next(); lexer.kind !== 'end'; lexer.next()) spans.push([lexer.start, lexer.end]);
    expect(spans).toEqual([
      [1, 3],
      [4, 9],
      [18, 20],
    ]);
    expect([lexer.start, lexer.end]).toEqual([20, 20]);
  });
});

describe('words', () => {
  it.each([
    ['a', ['ident a']],
    ['opam-version', ['ident opam-version']],
    ['_a', ['ident _a']],
    ['-a', ['ident -a']],
    ['1a', ['ident 1a']],
    ['1-_a-2', ['ident 1-_a-2']],
    ['0x10', ['ident 0x10']],
    ['a+b', ['ident a+b']],
    ['a+b+c:d', ['ident a+b+c:d']],
    ['a+_+b', ['ident a+_+b']],
    ['_+a', ['ident _+a']],
    ['_+_', ['ident _+_']],
    ['_:a', ['ident _:a']],
    ['a:b', ['ident a:b']],
    ['a:b:c', ['ident a:b', ':', 'ident c']],
    ['a: b', ['ident a', ':', 'ident b']],
    ['a :b', ['ident a', ':', 'ident b']],
    ['a:1', ['ident a', ':', 'int 1']],
    ['a:1b', ['ident a:1b']],
    ['a:"b"', ['ident a', ':', 'string b']],
    ['a+=b', ['ident a', 'environment +=', 'ident b']],
    ['a+_=b', ['ident a+_', 'relation =', 'ident b']],
    ['true', ['bool true']],
    ['false', ['bool false']],
    ['True', ['ident True']],
    ['truer', ['ident truer']],
    ['true-', ['ident true-']],
    ['true:a', ['ident true:a']],
    ['true+a', ['ident true+a']],
    ['a:true', ['ident a:true']],
  ])('%j', (source, tokens) => {
    expect(tokensOf(source)).toEqual(tokens);
  });
});

describe('numbers', () => {
  it.each([
    ['0', ['int 0']],
    ['42', ['int 42']],
    ['-1', ['int -1']],
    ['-0', ['int 0']],
    ['-00', ['int 0']],
    ['007', ['int 7']],
    ['-007', ['int -7']],
    ['1_000', ['int 1000']],
    ['1__', ['int 1']],
    ['0_0', ['int 0']],
    ['-0_1', ['int -1']],
    ['1-2', ['int 1', 'int -2']],
    ['1-2-3', ['int 1', 'int -2', 'int -3']],
    ['4611686018427387903', ['int 4611686018427387903']],
    ['-4611686018427387904', ['int -4611686018427387904']],
    ['0000000000000000000000000000000000000000001', ['int 1']],
  ])('%j', (source, tokens) => {
    expect(tokensOf(source)).toEqual(tokens);
  });

  it.each([
    ['4611686018427387904', 'the number is beyond'],
    ['-4611686018427387905', 'the number is beyond'],
    ['99999999999999999999', 'the number is beyond'],
    ['_', "'_' is neither"],
    ['_1', "'_1' is neither"],
    ['__', "'__' is neither"],
    ['-', "'-' is neither"],
    ['--1', "'-' is neither"],
    ['-_1', "'-_1' is neither"],
    ['1-', "'-' is neither"],
    ['_:1', "'_' is neither"],
    ['_+1', "'_' is neither"],
  ])('%j is an error', (source, message) => {
    expect(() => tokensOf(source)).toThrow(message);
  });
});

describe('strings', () => {
  it.each([
    ['""', ''],
    ['""""""', ''],
    ['"a b"', 'a b'],
    ['"# (* not a comment *)"', '# (* not a comment *)'],
    ['"two\nlines"', 'two\nlines'],
    ['"two\r\nlines"', 'two\nlines'],
    ['"\r\n\r\n"', '\n\n'],
    ['"lone\rreturn"', 'lone\rreturn'],
    ['"\r"', '\r'],
    ['"\r\r\n"', '\r\n'],
    ['"""a"b"""', 'a"b'],
    ['"""a""b"""', 'a""b'],
    ['"""\n"a"\n"""', '\n"a"\n'],
    ['"""a\r\nb"""', 'a\nb'],
    ['"""a\\""""', 'a"'],
    ['"""\\""""""', '"'],
  ])('%j', (source, text) => {
    const lexer = new Lexer(source);
    lexer.next();
    expect([lexer.kind, lexer.text]).toEqual(['string', text]);
  });

  it('ends three quotes at the first three', () => {
    expect(tokensOf('"""a"""""')).toEqual(['string a', 'string ']);
    expect(tokensOf('"""a"""b"c"')).toEqual(['string a', 'ident b', 'string c']);
    expect(tokensOf('"" ""')).toEqual(['string ', 'string ']);
  });

  it('keeps every byte that is not UTF-8, and NUL', () => {
    expect(tokensOf('"\0\x01\x7f\x80\xc3\x28\xff"')).toEqual(['string \0\x01\x7f\x80\xc3\x28\xff']);
    expect(tokensOf('(*\0\xff*) # \0\xff\na')).toEqual(['ident a']);
  });

  const escapes = [
    ['\\\\', '\\'],
    ['\\"', '"'],
    ["\\'", "'"],
    ['\\n', '\n'],
    ['\\r', '\r'],
    ['\\t', '\t'],
    ['\\b', '\b'],
    ['\\ ', ' '],
    ['\\065', 'A'],
    ['\\000', '\0'],
    ['\\255', '\xff'],
    ['\\0651', 'A1'],
    ['\\x41', 'A'],
    ['\\xfF', '\xff'],
    ['\\x411', 'A1'],
    ['\\\n', ''],
    ['\\\n \t x', 'x'],
    ['\\\r\n  x', 'x'],
    ['\\\n\n x', '\n x'],
    ['\\\n  \\\n  x', 'x'],
    ['\\\n\r x', '\r x'],
    ['\\r\\n', '\r\n'],
    ['\\r\n', '\r\n'],
    ['\\\\n', '\\n'],
  ] as const;

  it.each(['"', '"""'])('mean the same escapes between %s', (quotes) => {
    for (const [source, text] of escapes) {
      expect([source, tokensOf(`${quotes}a${source}z${quotes}`)]).toEqual([source, [`string a${text}z`]]);
    }
  });

  const wrongEscapes = ['\\a', '\\0', '\\06', '\\06a', '\\256', '\\999', '\\x4', '\\x4g', '\\xg4', '\\X41'];

  it.each(['"', '"""'])('refuse all other escapes between %s', (quotes) => {
    for (const source of [...wrongEscapes, '\\N', '\\u0041', '\\\t', '\\\r', '\\\0', '\\\xff', '\\(']) {
      expect(() => tokensOf(`${quotes}a${source}${quotes} `), source).toThrow(
        `line 1, column ${quotes.length + 1}: this is no escape that opam knows`,
      );
    }
  });
});

describe('comments', () => {
  it.each([
    ['# to the end of the line\na', ['ident a']],
    ['a # without a newline', ['ident a']],
    ['#', []],
    ['a#', ['ident a']],
    ['# with a return\r\na', ['ident a']],
    ['# with a lone \r still\na', ['ident a']],
    ['# with (* and "\na', ['ident a']],
    ['(**)a', ['ident a']],
    ['(* a *)b', ['ident b']],
    ['(* a\nb *)c', ['ident c']],
    ['(* a (* b *) c *)d', ['ident d']],
    ['(*(**)(**)*)a', ['ident a']],
    ['(* # *)a', ['ident a']],
    ['(* " *)a', ['ident a']],
    ['(***)a', ['ident a']],
    ['(*)*)a', ['ident a']],
    ['(* ( * ) *)a', ['ident a']],
    ['a(**)b', ['ident a', 'ident b']],
    ['( *', undefined],
  ])('%j', (source, tokens) => {
    if (tokens === undefined) expect(() => tokensOf(source)).toThrow("'*' does not begin anything here");
    else expect(tokensOf(source)).toEqual(tokens);
  });

  it('stand between any two tokens of a file', () => {
    const words = ['a', ':', '[', '"b"', '{', '>=', '"1"', '&', '!', 'c', '}', ']', 'd', '"l"', '{', '}'];
    const plain = shapeOfItems(parseFile(words.join(' ')).items);
    expect(plain).toBe('(field a (list (option "b" (and (prefix >= "1") (not c))))) (section d "l")');
    expect(shapeOfItems(parseFile(words.join('(* " *)')).items)).toBe(plain);
    expect(shapeOfItems(parseFile(words.join(' # "\r\n')).items)).toBe(plain);
  });
});

describe('a CRLF file', () => {
  it('means what the LF file means', () => {
    const file = 'a: "x\ny" # c\nb: [\n"z\\\n  z"\n]\nd: """\nq"""\n';
    expect(shapeOfItems(parseFile(file.replaceAll('\n', '\r\n')).items)).toBe(
      shapeOfItems(parseFile(file).items),
    );
  });

  it('is not a file with lone returns', () => {
    expect(() => parseFile('a: b\rc: d\n')).toThrow(
      'line 1, column 4: byte 0x0d does not begin anything here',
    );
    expect(() => parseFile('a: b\r')).toThrow('line 1, column 4: byte 0x0d');
  });
});

it('reads a value that stands alone', () => {
  expect(shapeOf(parseValue(' "a" # b'))).toBe('"a"');
  expect(() => parseValue('a b')).toThrow("line 1, column 2: expected the end, found 'b'");
  expect(() => parseValue('')).toThrow('line 1, column 0: expected a value, found the end of the file');
});
