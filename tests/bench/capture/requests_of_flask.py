"""Requests to a Flask application through its test client."""

import flask

application = flask.Flask(__name__)
TEMPLATE = "{% for item in items %}<li>{{ item.name|upper }}: {{ '%.2f'|format(item.price) }}</li>{% endfor %}"


@application.route("/list/<int:number>")
def listing(number):
    items = [{"name": "item %d" % n, "price": n / 3} for n in range(number % 30)]
    return flask.render_template_string(TEMPLATE, items=items)


@application.route("/item/<int:number>")
def details(number):
    return flask.jsonify(number=number, query=flask.request.args.to_dict())


def main():
    client = application.test_client()
    for number in range(800):
        assert client.get("/list/%d" % number).status_code == 200
        assert client.get("/item/%d?a=1&b=2" % number).get_json()["number"] == number


main()
