export function product(factors) {
  return factors.reduce((result, factor) => result * factor, 1);
}
