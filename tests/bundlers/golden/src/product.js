export function product(numbers) {
  return numbers.reduce((left, right) => left * right, 1);
}
