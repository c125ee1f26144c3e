
// Student's t: the value that it stays below with a probability of 97.5 %, by its degrees of freedom.
const student = (() => {
  const LEVEL = 0.975;

  // Lanczos, g = 7 and nine terms.
  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  function logGamma(x) {
    let sum = LANCZOS[0];
    for (let term = 1; term < 9; term++) sum += LANCZOS[term] / (x - 1 + term);
    const base = x + 6.5;
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
  }

  // The regularised incomplete beta function, by its continued fraction (Lentz's way).
  function betaFraction(x, a, b) {
    const tiny = 1e-300;
    let c = 1;
    let d = 1 / (Math.abs(1 - ((a + b) * x) / (a + 1)) < tiny ? tiny : 1 - ((a + b) * x) / (a + 1));
    let value = d;
    for (let m = 1; m < 10000; m++) {
      let step = 1;
      for (const term of [
        (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
        (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
      ]) {
        d = 1 + term * d;
        d = 1 / (Math.abs(d) < tiny ? tiny : d);
        c = 1 + term / c;
        if (Math.abs(c) < tiny) c = tiny;
        step = c * d;
        value *= step;
      }
      if (Math.abs(step - 1) < 1e-15) break;
    }
    return value;
  }
  function incompleteBeta(x, a, b) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
    return x < (a + 1) / (a + b + 2)
      ? (front * betaFraction(x, a, b)) / a
      : 1 - (front * betaFraction(1 - x, b, a)) / b;
  }

  // The value that Student's t stays below with a probability over a half, by bisection and Newton's steps.
  function quantile(degrees, probability = LEVEL) {
    const tail = (t) => incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
    const constant = logGamma((degrees + 1) / 2) - logGamma(degrees / 2) - 0.5 * Math.log(degrees * Math.PI);
    const aim = 1 - probability;
    let low = 0;
    let high = 1;
    while (tail(high) > aim) [low, high] = [high, 2 * high];
    let t = (low + high) / 2;
    for (let step = 0; step < 200; step++) {
      const excess = tail(t) - aim;
      if (excess > 0) low = t;
      else high = t;
      const density = Math.exp(constant - ((degrees + 1) / 2) * Math.log1p((t * t) / degrees));
      let next = t + excess / density;
      if (!(next > low && next < high)) next = (low + high) / 2;
      if (Math.abs(next - t) <= 1e-14 * next) return next;
      t = next;
    }
    return t;
  }
  const wholeDegrees = [];
  function atWhole(degrees) {
    return (wholeDegrees[degrees] ??= quantile(degrees));
  }

  return { atWhole, quantile };
})();
