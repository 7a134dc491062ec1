#include "ledger.hpp"

long settle_invoice(Balances &balances, const AnyEvent &first, const AnyEvent &second, const AnyEvent &third) {
    return settle<1>(balances, first, second, third);
}
