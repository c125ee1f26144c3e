
// What can be told from the scores of a contest: means, intervals of differences, ranks. No page, only numbers.
// The interval is that of statistics/clustered.py; what it says of each step holds here.
const ranking = (() => {
  const NORMAL = 1.959963984540054;
  const FEWEST_CLUSTERS = 4;
  const FEWEST_MOVED = 5;
  const FEWEST_UNPAIRED = 6;
  const DIGITS = 1e9;
  const CHANCE = 0.05;

  function bytesOf(text) {
    return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  }
  function floatsOf(text) {
    const view = new DataView(bytesOf(text).buffer);
    return Float64Array.from({ length: view.byteLength / 4 }, (_, place) => view.getFloat32(4 * place, true));
  }
  function numeratorsOf(text, documents) {
    if (text.startsWith("f:")) return floatsOf(text.slice(2));
    const bits = bytesOf(text.slice(2));
    return Uint8Array.from({ length: documents }, (_, place) => (bits[place >> 3] >> (place & 7)) & 1);
  }

  // Columns of a contest, decoded as far as they are asked for.
  const decoded = new WeakMap();
  function readColumn(column) {
    if (decoded.has(column)) return decoded.get(column);
    const weights = column.weights === null ? null : floatsOf(column.weights);
    const total = weights === null ? column.documents : weights.reduce((sum, one) => sum + one, 0);
    const read = { weights, total, shown: new Map(), numerators: new Map(), column };
    for (const [row, value, error] of column.shown) read.shown.set(row, { value, error });
    decoded.set(column, read);
    return read;
  }
  function numerators(read, row) {
    if (!read.numerators.has(row)) {
      const text = read.column.scores[row];
      read.numerators.set(row, text === undefined ? null : numeratorsOf(text, read.column.documents));
    }
    return read.numerators.get(row);
  }

  // Languages chosen together: what clustered.Clustering knows of their documents.
  function clusteringOf(columns) {
    const numbers = new Map();
    const places = columns.map((column, language) =>
      Int32Array.from({ length: column.documents }, (_, place) => {
        const key = column.clusters === null ? `${language} ${place}` : column.clusters[place];
        if (!numbers.has(key)) numbers.set(key, numbers.size);
        return numbers.get(key);
      }),
    );
    const size = numbers.size;
    const shares = columns.map((column, language) => {
      const read = readColumn(column);
      const own = new Float64Array(size);
      places[language].forEach((cluster, place) => (own[cluster] += (read.weights?.[place] ?? 1) / read.total));
      return own;
    });
    const factors = shares.map((own) => {
      const squares = own.reduce((sum, share) => sum + share * share, 0);
      return own.map((share) => {
        const left = 1 - 2 * share + squares;
        return left > 1e-12 ? 1 / Math.sqrt(left) : 0;
      });
    });
    const overlaps = shares.map((one) => shares.map((other) => one.reduce((sum, share, c) => sum + share * other[c], 0)));
    // What a language has no documents of takes no memory in a row: clusters are numbered by language once more.
    const present = places.map((own) => Int32Array.from(new Set(own)));
    const smallest = Math.min(...present.map((own) => own.length));
    return { places, size, factors, overlaps, smallest, present };
  }

  // One row over the chosen languages: its part of any difference, as all of the formula but moved and t is linear.
  function rowOf(columns, clustering, row) {
    const share = 1 / columns.length;
    const parts = [];
    const answers = [];
    const whole = new Float64Array(clustering.size);
    const added = new Float64Array(clustering.size);
    let mean = 0;
    for (const [language, column] of columns.entries()) {
      const read = readColumn(column);
      const own = numerators(read, row);
      if (own === null) return null;
      const score = own.reduce((sum, one) => sum + one, 0) / read.total;
      mean += share * column.factor * score;
      const sums = new Float64Array(clustering.size);
      const scale = (column.factor * share) / read.total;
      for (let place = 0; place < column.documents; place++) {
        const beyond = own[place] - score * (read.weights === null ? 1 : read.weights[place]);
        sums[clustering.places[language][place]] += scale * beyond;
        added[clustering.places[language][place]] += (share / read.total) * own[place];
      }
      const part = Float64Array.from(
        clustering.present[language],
        (cluster) => sums[cluster] * clustering.factors[language][cluster],
      );
      clustering.present[language].forEach((cluster, place) => (whole[cluster] += part[place]));
      parts.push(part);
      answers.push(read.weights === null ? own : own.map((one, place) => (read.weights[place] > 0 ? one / read.weights[place] : 0)));
    }
    return { parts, answers, whole, added, mean };
  }

  function distance(one, other) {
    let sum = 0;
    for (let place = 0; place < one.length; place++) {
      const difference = one[place] - other[place];
      sum += difference * difference;
    }
    return sum;
  }

  // How many clusters have a document whose change is not the commonest of its language; no further than enough.
  function countMoved(clustering, one, other, enough = Infinity) {
    const moved = new Uint8Array(clustering.size);
    let count = 0;
    for (const [language, own] of one.answers.entries()) {
      const changes = changesOf(own, other.answers[language]);
      const often = commonest(changes);
      for (let place = 0; place < changes.length; place++) {
        const cluster = clustering.places[language][place];
        if (changes[place] === often || moved[cluster]) continue;
        moved[cluster] = 1;
        if (++count >= enough) return count;
      }
    }
    return count;
  }
  function changesOf(own, theirs) {
    const right = own instanceof Uint8Array && theirs instanceof Uint8Array;
    const changes = right ? new Int8Array(own.length) : new Float64Array(own.length);
    for (let place = 0; place < own.length; place++) {
      const change = own[place] - theirs[place];
      changes[place] = right ? change : Math.round(change * DIGITS);
    }
    return changes;
  }
  function commonest(changes) {
    const counts = new Map();
    if (changes instanceof Int8Array) {
      const three = [0, 0, 0];
      for (const change of changes) three[change + 1]++;
      three.forEach((count, place) => counts.set(place - 1, count));
    } else {
      for (const change of changes) counts.set(change, (counts.get(change) ?? 0) + 1);
    }
    let [often, most] = [0, 0];
    for (const [change, count] of counts) {
      // Of equally many the smallest counts as what did not move, and of n and -n the latter.
      const nearer = Math.abs(change) < Math.abs(often) || (change === -often && change < often);
      if (count > most || (count === most && nearer)) [often, most] = [change, count];
    }
    return often;
  }

  function degreesOf(clustering, one, other) {
    const squares = one.parts.map((part, language) => distance(part, other.parts[language]));
    let squared = 0;
    squares.forEach((a, first) => squares.forEach((b, second) => (squared += a * b * clustering.overlaps[first][second])));
    const sum = squares.reduce((total, square) => total + square, 0);
    return Math.max((squared > 0 ? (sum * sum) / squared : 1) - 1, 1);
  }
  function imagined(moved, clusters) {
    return moved ? 1 + (2 / moved) * (1 - moved / clusters) : 1;
  }

  // Whether most clusters differ the way the mean does, told from chance by the exact two-sided sign test.
  function signsTell(one, other) {
    let [wins, losses] = [0, 0];
    one.added.forEach((own, cluster) => {
      const change = Math.round((own - other.added[cluster]) * DIGITS);
      wins += change > 0;
      losses += change < 0;
    });
    const [most, all] = [Math.max(wins, losses), wins + losses];
    let [tail, ways] = [0, 0]; // ways: the logarithm of how many there are to choose that many of all
    for (let count = all; count >= most; count--) {
      tail += Math.exp(ways - all * Math.LN2);
      ways += Math.log(count) - Math.log(all - count + 1);
    }
    return most > 0 && 2 * tail < CHANCE && wins > losses === one.mean > other.mean;
  }

  // A difference of two rows with its interval, null ends where there is none, and whether it tells them apart.
  function paired(clustering, one, other) {
    const value = one.mean - other.mean;
    const none = { value, low: null, high: null, told: false };
    if (clustering.smallest < FEWEST_CLUSTERS) return none;
    const moved = countMoved(clustering, one, other);
    const width = Math.sqrt(distance(one.whole, other.whole)) * student.quantile(degreesOf(clustering, one, other));
    if (moved < Math.min(FEWEST_MOVED, clustering.size - 1)) {
      return { ...none, told: Math.abs(value) > width && signsTell(one, other) };
    }
    return between(value, width * Math.sqrt(imagined(moved, clustering.size)));
  }
  function between(value, width) {
    const [low, high] = [value - width, value + width];
    return { value, low, high, told: low > 0 || high < 0 };
  }
  // The same question as whether that interval excludes 0, asked the cheapest way first.
  function pairedTold(clustering, one, other) {
    if (clustering.smallest < FEWEST_CLUSTERS) return false;
    const value = Math.abs(one.mean - other.mean);
    const variance = distance(one.whole, other.whole);
    if (value <= NORMAL * Math.sqrt(variance)) return false;
    const needed = Math.min(FEWEST_MOVED, clustering.size - 1);
    const degrees = degreesOf(clustering, one, other);
    const most = Math.sqrt(variance * imagined(needed, clustering.size)) * student.atWhole(Math.floor(degrees));
    if (value > most && countMoved(clustering, one, other, needed) >= needed) return true;
    if (value <= Math.sqrt(variance) * student.atWhole(Math.ceil(degrees))) return false;
    return paired(clustering, one, other).told;
  }
  function unpaired(one, other) {
    const value = one.mean - other.mean;
    if (one.error === null || other.error === null) return { value, low: null, high: null, told: false };
    return between(value, NORMAL * Math.hypot(one.error, other.error));
  }

  // All rows of a contest over some of its languages.
  function fieldOf(contest, languages) {
    const columns = contest.columns.filter((column) => languages.includes(column.language));
    const reads = columns.map(readColumn);
    const clustering = columns.length ? clusteringOf(columns) : null;
    const rows = new Map();
    for (const column of contest.columns) {
      for (const row of readColumn(column).shown.keys()) rows.set(row, null);
    }
    for (const row of rows.keys()) {
      const found = reads.map((read) => read.shown.get(row) ?? null);
      const missing = columns.filter((_, place) => found[place] === null).map((column) => column.language);
      const there = found.filter((one) => one !== null);
      const exact = columns.length && !missing.length ? rowOf(columns, clustering, row) : null;
      const enough = columns.every((column) => column.documents >= FEWEST_UNPAIRED);
      const known = enough && there.length > 0 && there.every((one) => one.error !== null);
      rows.set(row, {
        row,
        missing,
        complete: columns.length > 0 && missing.length === 0,
        exact,
        mean: there.length ? (exact?.mean ?? there.reduce((sum, one) => sum + one.value, 0) / there.length) : null,
        error: known ? Math.hypot(...there.map((one) => one.error)) / there.length : null,
      });
    }
    return { contest, columns, clustering, rows, higher: contest.higher };
  }
  function differ(field, one, other) {
    return one.exact && other.exact ? paired(field.clustering, one.exact, other.exact) : unpaired(one, other);
  }
  function toldApart(field, one, other) {
    if (one.exact && other.exact) return pairedTold(field.clustering, one.exact, other.exact);
    return unpaired(one, other).told;
  }

  // Half the width of the interval of a row's own mean; from its standard errors where its answers are not known.
  function halfWidth(field, entry) {
    if (!entry.exact) return entry.error === null ? null : NORMAL * entry.error;
    if (field.clustering.smallest < FEWEST_CLUSTERS) return null;
    const zeros = (all) => all.map((own) => new own.constructor(own.length));
    const nothing = { parts: zeros(entry.exact.parts), answers: zeros(entry.exact.answers) };
    const needed = Math.min(FEWEST_MOVED, field.clustering.size - 1);
    if (countMoved(field.clustering, entry.exact, nothing, needed) < needed) return null;
    const whole = new Float64Array(field.clustering.size);
    return Math.sqrt(distance(entry.exact.whole, whole)) * student.quantile(degreesOf(field.clustering, entry.exact, nothing));
  }

  // Ranks of rows of a field, a slice at a time: every yield says how many rows have their final rank of those given.
  function* rankSlices(field, entries, pairsPerSlice = 64) {
    const better = new Int32Array(entries.length);
    const worse = new Int32Array(entries.length);
    const ranges = new Map();
    let done = 0;
    for (const [first, one] of entries.entries()) {
      for (let second = first + 1; second < entries.length; second++) {
        if (toldApart(field, one, entries[second])) {
          const firstWins = one.mean > entries[second].mean === field.higher;
          better[firstWins ? second : first]++;
          worse[firstWins ? first : second]++;
        }
        if (++done % pairsPerSlice === 0) yield ranges;
      }
      ranges.set(one.row, [1 + better[first], entries.length - worse[first]]);
    }
    return ranges;
  }
  function rank(field, entries) {
    const slices = rankSlices(field, entries, Infinity);
    for (;;) {
      const { done, value } = slices.next();
      if (done) return value;
    }
  }

  // Documents of a column in which one row did better, worse and as well as another; null where not known.
  function tally(column, row, otherColumn, otherRow, higher) {
    const [read, otherRead] = [readColumn(column), readColumn(otherColumn)];
    const [own, theirs] = [numerators(read, row), numerators(otherRead, otherRow)];
    if (own === null || theirs === null) return null;
    const counts = { better: 0, worse: 0, equal: 0 };
    own.forEach((answer, place) => {
      const weight = read.weights?.[place] ?? 1;
      const change = weight > 0 ? Math.round(((answer - theirs[place]) / weight) * DIGITS) : 0;
      counts[change === 0 ? "equal" : change > 0 === higher ? "better" : "worse"]++;
    });
    return counts;
  }

  return { differ, fieldOf, halfWidth, rank, rankSlices, tally, toldApart };
})();
