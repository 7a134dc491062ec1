#include <cstdio>

#include "ledger.hpp"

using Settle = long(Balances &, const AnyEvent &, const AnyEvent &, const AnyEvent &);
Settle settle_invoice, settle_payment, settle_refund, settle_transfer;

int main() {
    Balances balances{{"shop", 0}};
    long cents = 0;
    for (Settle *settle : {settle_invoice, settle_payment, settle_refund, settle_transfer})
        cents += settle(balances, Event<1>{500, "customer"}, Event<2>{250, "bank"}, Event<3>{100, "shop"});
    std::printf("settled %ld cents\n", cents);
}
